// Starts GraphiQL on the address it was opened at. What is typed is kept in the fragment of the address, so that it can be
// shared; headers are not, since they hold the access token.
(function () {
  "use strict";

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
    "# every type and field.",
    "#",
    "# To sign in, run tokenAuth and put its token into the",
    "# Headers tab below:",
    '#   { "Authorization": "Bearer <token>" }',
    "",
    "{",
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

  // What the Headers tab holds now: a subscription signs in with the same token as a query.
  var headers = "";

  function connectionParams() {
    try {
      var token = JSON.parse(headers || "{}").Authorization;
      return token ? { Authorization: token } : {};
    } catch (error) {
      return {};
    }
  }

  var fetcher = window.GraphiQL.createFetcher({
    url: url,
    wsClient: window.graphqlWs.createClient({
      url: url.replace(/^http/, "ws"),
      lazy: true,
      connectionParams: connectionParams,
    }),
  });

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
    return React.createElement(window.GraphiQL, {
      fetcher: fetcher,
      plugins: plugins,
      query: query,
      variables: shared.get("variables") || undefined,
      defaultEditorToolsVisibility: "headers",
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      onEditQuery: edit,
      onEditHeaders: function (text) { headers = text; },
      onEditVariables: function (text) { remember("variables", text); },
    });
  }

  ReactDOM.render(React.createElement(Holdfast), document.getElementById("graphiql"));
})();
