// Runs the clients that people use, as the test beside it says: one JSON command a line comes in, one JSON report a line goes
// out. Every command is answered with {answer: number, ...}; what a client hears by itself is reported with its name and key.
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { createClient as createSocketClient } from "graphql-ws";
import { createClient as createStreamClient } from "graphql-sse";
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { cacheExchange, Client as UrqlClient, fetchExchange, subscriptionExchange } from "@urql/core";
import { OperationTypeNode } from "graphql";
import { serverAudits } from "graphql-http";
import WebSocket from "ws";
import { apolloPages, urqlPages } from "./caching.mjs";
import { compile, run as runRelay } from "./relay.mjs";

const clients = new Map();
const stops = new Map();

const report = (fields) => process.stdout.write(JSON.stringify(fields) + "\n");

const authorization = (given) => (given.token ? { Authorization: `Bearer ${given.token}` } : {});

// What a client has seen last, kept from each result. It is sent again when the connection is made anew.
class Position {
  constructor(start) {
    this.last = start ?? null;
  }

  note(result) {
    this.last = result.extensions?.eventId ?? this.last;
  }
}

function socketClient(given, position) {
  let answered = true;
  let ponged;
  const client = createSocketClient({
    url: given.url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket,
    connectionParams: () => ({
      ...authorization(given),
      ...(position.last === null ? {} : { lastEventId: position.last }),
    }),
    keepAlive: given.keepAlive ?? 0,
    retryAttempts: given.retryAttempts ?? 100,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 200)),
    shouldRetry: () => true,
    on: {
      connected: () => report({ name: given.name, connected: true }),
      closed: (event) => report({ name: given.name, closed: event.code ?? null, reason: String(event.reason ?? "") }),
      ping: (received) => {
        if (received || !given.keepAlive) return;
        answered = false;
        ponged = setTimeout(() => answered || client.terminate(), given.keepAlive);
      },
      pong: (received) => {
        if (!received) return;
        answered = true;
        clearTimeout(ponged);
      },
    },
  });
  return client;
}

function streamClient(given, position) {
  return createStreamClient({
    url: given.url,
    headers: () => ({
      ...authorization(given),
      ...(position.last === null ? {} : { "Last-Event-ID": position.last }),
    }),
    retryAttempts: given.retryAttempts ?? 100,
    retry: () => new Promise((resolve) => setTimeout(resolve, 200)),
  });
}

// The two that speak GraphQL themselves are used the same way: subscribe, or iterate for a query or a mutation.
function plain(make) {
  return (given) => {
    const position = new Position(given.lastEventId);
    const client = make(given, position);
    const noting = (sink) => ({ ...sink, next: (result) => (position.note(result), sink.next(result)) });
    return {
      subscribe: (operation, sink) => client.subscribe(operation, noting(sink)),
      once: (operation) =>
        new Promise((resolve, reject) => {
          let found;
          client.subscribe(operation, {
            next: (result) => (found = result),
            error: reject,
            complete: () => resolve(found),
          });
        }),
      dispose: () => client.dispose(),
    };
  };
}

// Sends the hash of a query by GET and its text only when the server does not know it. What went over the wire is reported.
function persisted(given) {
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const watched = async (uri, options) => {
    const response = await fetch(uri, options);
    const sent = new URL(uri);
    report({ name: given.name, wire: { method: options.method, text: sent.searchParams.has("query"), status: response.status } });
    return response;
  };
  return ApolloLink.from([
    new PersistedQueryLink({ sha256, useGETForHashedQueries: true }),
    new HttpLink({ uri: given.url, headers: authorization(given), fetch: watched, useGETForQueries: true }),
  ]);
}

function apollo(given) {
  const sockets = socketClient(given, new Position(given.lastEventId));
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(sockets),
      given.persisted ? persisted(given) : new HttpLink({ uri: given.url, headers: authorization(given) }),
    ),
  });
  const observed = (observable, sink) => {
    const subscription = observable.subscribe(sink);
    return () => subscription.unsubscribe();
  };
  return {
    subscribe: ({ query, variables }, sink) => observed(client.subscribe({ query: gql(query), variables }), sink),
    watch: ({ query, variables }, sink) => observed(client.watchQuery({ query: gql(query), variables }), sink),
    once: ({ query, variables }) => {
      const document = gql(query);
      return document.definitions[0].operation === "mutation"
        ? client.mutate({ mutation: document, variables })
        : client.query({ query: document, variables });
    },
    dispose: () => (client.stop(), sockets.dispose()),
  };
}

function urql(given) {
  const sockets = socketClient(given, new Position(given.lastEventId));
  const client = new UrqlClient({
    url: given.url,
    preferGetMethod: false,
    fetchOptions: { headers: authorization(given) },
    exchanges: [
      cacheExchange,
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ query: query ?? "", variables }, sink) }),
        }),
      }),
    ],
  });
  const told = ({ data, error }) => ({ data, ...(error ? { errors: [String(error)] } : {}) });
  return {
    subscribe: ({ query, variables }, sink) =>
      client.subscription(query, variables).subscribe((result) => sink.next(told(result))).unsubscribe,
    once: async ({ query, variables }) =>
      told(await (query.trimStart().startsWith("mutation") ? client.mutation : client.query).call(client, query, variables)),
    dispose: () => sockets.dispose(),
  };
}

const kinds = {
  "graphql-ws": plain(socketClient),
  "graphql-sse": plain(streamClient),
  apollo,
  urql,
  "apollo with pages": (given) => apolloPages(given, report),
  "urql with pages": (given) => urqlPages(given, report),
};

const sink = (name, key) => ({
  next: (result) => report({ name, key, next: { data: result.data, errors: result.errors, extensions: result.extensions } }),
  error: (error) => report({ name, key, error: described(error) }),
  complete: () => report({ name, key, complete: true }),
});

function described(error) {
  if (Array.isArray(error)) return error;
  if (error?.code !== undefined) return { code: error.code, reason: String(error.reason ?? "") };
  return { message: String(error?.message ?? error), status: error?.response?.status };
}

const commands = {
  audit: async ({ url }) => {
    const results = [];
    for (const audit of serverAudits({ url })) {
      const { status, reason } = await audit.fn();
      results.push({ id: audit.id, name: audit.name, status, reason });
    }
    return { results };
  },
  open: (given) => void clients.set(given.name, kinds[given.kind](given)),
  ask: async ({ name, query, variables, file }) => {
    try {
      const { data, errors } = await clients.get(name).once({ query, variables, file });
      return { data, errors };
    } catch (error) {
      return { error: described(error) };
    }
  },
  subscribe: ({ name, key, query, variables }) =>
    void stops.set(`${name} ${key}`, clients.get(name).subscribe({ query, variables }, sink(name, key))),
  watch: ({ name, key, query, variables }) =>
    void stops.set(`${name} ${key}`, clients.get(name).watch({ key, query, variables }, sink(name, key))),
  more: async ({ name, key, variables }) => {
    const { data, errors } = await clients.get(name).more({ key, variables });
    return { data, errors };
  },
  // One operation with several sets of variables, all at once.
  crowd: async ({ name, query, sets }) => {
    const asking = sets.map((variables) => clients.get(name).once({ query, variables }));
    return { results: (await Promise.allSettled(asking)).map(({ value, reason }) => value?.data ?? String(reason ?? value?.errors)) };
  },
  expire: ({ name, token }) => void clients.get(name).expire({ token }),
  compile,
  relay: runRelay,
  stop: ({ name, key }) => void stops.get(`${name} ${key}`)(),
  close: async ({ name }) => void (await clients.get(name).dispose()),
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { number, command, ...given } = JSON.parse(line);
  try {
    report({ answer: number, ...(await commands[command](given)) });
  } catch (error) {
    report({ answer: number, failed: error.stack ?? String(error) });
  }
});
process.stdin.on("end", () => process.exit(0));
