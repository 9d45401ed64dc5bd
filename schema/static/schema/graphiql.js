// Starts GraphiQL on the address it was opened at. What is typed is kept in the fragment of the address, so that it can be
// shared; headers are not, since they hold the access token.
(function () {
  "use strict";

  // Packages of GraphiQL make style elements. Only what carries the nonce of the page may style it.
  var nonce = document.currentScript.nonce;
  var createElement = document.createElement;
  document.createElement = function () {
    var made = createElement.apply(document, arguments);
    if (made.tagName === "STYLE") {
      made.nonce = nonce;
    }
    return made;
  };

  var shared = new URLSearchParams(window.location.hash.slice(1));

  function remember(name, value) {
    if (value) {
      shared.set(name, value);
    } else {
      shared.delete(name);
    }
    window.history.replaceState(null, "", "#" + shared.toString());
  }

  var url = window.location.origin + window.location.pathname;
  var welcome = [
    "# Welcome to Holdfast. The docs on the left describe",
    "# every type and field. The other tabs are a first",
    "# session: run them one after the other.",
    "#",
    "# To sign in, run tokenAuth and put its token into the",
    "# Headers tab below:",
    '#   { "Authorization": "Bearer <tokenAuth.token>" }',
    "# What is in < > is taken from what was answered before.",
    "",
    "query Welcome {",
    "  listings(first: 3) {",
    "    totalCount",
    "    edges {",
    "      node {",
    "        id",
    "        title",
    "        kind",
    "        price { amount currency }",
    "        priceUnit",
    "      }",
    "    }",
    "  }",
    "}",
    "",
  ].join("\n");

  // GraphiQL keeps tabs without their headers. Those of the session say only where the token comes from: they are put back.
  function restoreHeaders() {
    try {
      var kept = JSON.parse(window.localStorage.getItem("graphiql:tabState"));
      kept.tabs.forEach(function (tab) {
        var step = window.holdfastFirstSession.find(function (each) { return each.query === tab.query; });
        if (step && step.headers && !tab.headers) tab.headers = step.headers;
      });
      window.localStorage.setItem("graphiql:tabState", JSON.stringify(kept));
    } catch (error) {
      // Nothing is kept, or nothing may be: then GraphiQL begins with the tabs as they are.
    }
  }

  // What the Headers tab holds now: a subscription signs in with the same token as a query.
  var headers = "";

  // The newest answer of each root field, for variables and headers such as "<tokenAuth.token>".
  var answers = {};

  function answered(text) {
    return text.replace(/<(\w+(?:\.\w+)*)>/g, function (placeholder, path) {
      var value = path.split(".").reduce(function (below, step) {
        return below === null || below === undefined ? undefined : below[step];
      }, answers);
      return typeof value === "string" || typeof value === "number" ? String(value) : placeholder;
    });
  }

  function filled(value) {
    if (typeof value === "string") return answered(value);
    if (Array.isArray(value)) return value.map(filled);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(function (entry) {
        return [entry[0], filled(entry[1])];
      }),
    );
  }

  function connectionParams() {
    try {
      var token = JSON.parse(headers || "{}").Authorization;
      return token ? { Authorization: answered(token) } : {};
    } catch (error) {
      return {};
    }
  }

  function noting(body) {
    if (body && body.data) Object.assign(answers, body.data);
    return body;
  }

  var send = window.GraphiQL.createFetcher({
    url: url,
    // One answer to one question, so that it can be noted.
    enableIncrementalDelivery: false,
    wsClient: window.graphqlWs.createClient({
      url: url.replace(/^http/, "ws"),
      lazy: true,
      connectionParams: connectionParams,
    }),
  });

  function fetcher(parameters, options) {
    var asked = Object.assign({}, parameters, { variables: filled(parameters.variables) });
    var sent = send(asked, Object.assign({}, options, { headers: filled((options && options.headers) || {}) }));
    return sent && typeof sent.then === "function" ? sent.then(noting) : sent;
  }

  function Holdfast() {
    var state = React.useState(shared.get("query") || welcome);
    var query = state[0];
    var setQuery = state[1];

    function edit(text) {
      setQuery(text);
      remember("query", text);
    }

    var plugins = [];
    if (window.GraphiQLPluginExplorer) {
      plugins.push(window.GraphiQLPluginExplorer.useExplorerPlugin({ query: query, onEdit: edit }));
    }
    var first = { query: query, variables: shared.get("variables") || undefined };
    return React.createElement(window.GraphiQL, {
      fetcher: fetcher,
      plugins: plugins,
      query: query,
      variables: first.variables,
      defaultTabs: [first].concat(window.holdfastFirstSession),
      defaultEditorToolsVisibility: "headers",
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      onEditQuery: edit,
      onEditHeaders: function (text) { headers = text; },
      onEditVariables: function (text) { remember("variables", text); },
    });
  }

  restoreHeaders();
  ReactDOM.render(React.createElement(Holdfast), document.getElementById("graphiql"));
})();
