// Apollo Client and urql with what applications set up around them: a normalised cache, pages that are merged, and a token that
// is renewed when it has run out. Each request is reported by its operation, so that a test can count them.
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { relayStylePagination } from "@apollo/client/utilities";
import { authExchange } from "@urql/exchange-auth";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { Client as UrqlClient, fetchExchange } from "@urql/core";
import UploadHttpLink from "apollo-upload-client/UploadHttpLink.mjs";
import { defer, from, mergeMap, of } from "rxjs";

const KINDS = ["Property", "Service", "Event", "ParkingSpot"];
const PAGES_TOLD_APART_BY = ["filter", "orderBy"];
const RENEW = "mutation Renew($token: String) { refreshToken(refreshToken: $token) { token refreshToken } }";

const nameOf = (query) => /(?:query|mutation) (\w+)/.exec(query)?.[1] ?? "";

// fetch, reporting what was sent and what came of it.
function reportedFetch(given, report) {
  return async (uri, options) => {
    const response = await fetch(uri, options);
    const sent = typeof options.body === "string" ? JSON.parse(options.body) : {};
    report({ name: given.name, sent: nameOf(sent.query ?? ""), status: response.status });
    return response;
  };
}

// The tokens of a session. Whoever finds the access token run out calls renew with it: the first one does it for all.
class Session {
  constructor(given, fetching) {
    Object.assign(this, { url: given.url, access: given.token, refresh: given.refreshToken, fetching, running: null });
  }

  get headers() {
    return this.access ? { Authorization: `Bearer ${this.access}` } : {};
  }

  async renew(refused) {
    if (refused !== this.access) return;
    this.running ??= this.#renew().finally(() => (this.running = null));
    await this.running;
  }

  async #renew() {
    const response = await this.fetching(this.url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ query: RENEW, variables: { token: this.refresh } }),
    });
    const { data, errors } = await response.json();
    if (!data?.refreshToken) throw new Error(errors?.[0]?.extensions?.code ?? "The session is over.");
    this.access = data.refreshToken.token;
    this.refresh = data.refreshToken.refreshToken;
  }
}

const renewing = (session) =>
  new ApolloLink((operation, forward) => {
    const send = () =>
      defer(() => {
        operation.setContext({ headers: session.headers, token: session.access });
        return forward(operation);
      });
    return send().pipe(
      mergeMap((result) =>
        result.extensions?.token
          ? from(session.renew(operation.getContext().token)).pipe(mergeMap(send))
          : of(result),
      ),
    );
  });

// What both kinds are used by: ask, watch, more (of a watched list), and expire (the access token is no longer good).
export function apolloPages(given, report) {
  const session = new Session(given, reportedFetch(given, report));
  const fetching = reportedFetch(given, report);
  const headers = given.preflight ? { "GraphQL-Require-Preflight": "1" } : {};
  const client = new ApolloClient({
    cache: new InMemoryCache({
      possibleTypes: { Listing: KINDS },
      typePolicies: { Query: { fields: { listings: relayStylePagination(PAGES_TOLD_APART_BY) } } },
    }),
    link: ApolloLink.from([
      renewing(session),
      ApolloLink.split(
        (operation) => operation.getContext().hasFile === true,
        new ApolloLink((operation) => uploading.request(operation)),
        new HttpLink({ uri: given.url, fetch: fetching }),
      ),
    ]),
  });
  const preflight = new ApolloLink((operation, forward) => {
    operation.setContext((context) => ({ headers: { ...context.headers, ...headers } }));
    return forward(operation);
  });
  const uploading = preflight.concat(new UploadHttpLink({ uri: given.url, fetch: fetching }));
  const watched = new Map();
  return {
    watch: ({ key, query, variables }, sink) => {
      const observable = client.watchQuery({ query: gql(query), variables });
      watched.set(key, observable);
      const subscription = observable.subscribe(sink);
      return () => subscription.unsubscribe();
    },
    more: ({ key, variables }) => watched.get(key).fetchMore({ variables }),
    once: ({ query, variables, file }) => {
      const document = gql(query);
      const context = { hasFile: file !== undefined };
      const all = file ? { ...variables, file: fileOf(file) } : variables;
      return document.definitions[0].operation === "mutation"
        ? client.mutate({ mutation: document, variables: all, context })
        : client.query({ query: document, variables: all, context, fetchPolicy: "network-only" });
    },
    expire: ({ token }) => void (session.access = token),
    dispose: () => client.stop(),
  };
}

const fileOf = ({ name, type, content }) => new File([Buffer.from(content, "base64")], name, { type });

export function urqlPages(given, report) {
  const fetching = reportedFetch(given, report);
  const session = new Session(given, fetching);
  let refused;
  const client = new UrqlClient({
    url: given.url,
    fetch: fetching,
    preferGetMethod: false,
    exchanges: [
      cacheExchange({
        keys: { Money: () => null, PageInfo: () => null, UserError: () => null },
        resolvers: { Query: { listings: relayPagination() } },
      }),
      authExchange(async (utils) => ({
        addAuthToOperation: (operation) => utils.appendHeaders(operation, session.headers),
        didAuthError: (error, operation) => {
          refused = operation.context.fetchOptions.headers.Authorization?.replace("Bearer ", "");
          return error.graphQLErrors.some((each) => each.extensions?.code === "UNAUTHENTICATED");
        },
        refreshAuth: () => session.renew(refused),
      })),
      fetchExchange,
    ],
  });
  const told = ({ data, error }) => ({ data, ...(error ? { errors: [String(error)] } : {}) });
  const watched = new Map();
  return {
    watch: ({ key, query, variables }, sink) => {
      watched.set(key, { query, variables });
      return client.query(query, variables).subscribe((result) => sink.next(told(result))).unsubscribe;
    },
    more: async ({ key, variables }) => {
      const first = watched.get(key);
      return told(await client.query(first.query, { ...first.variables, ...variables }).toPromise());
    },
    once: async ({ query, variables }) => {
      const run = query.trimStart().startsWith("mutation") ? client.mutation : client.query;
      return told(await run.call(client, query, variables, { requestPolicy: "network-only" }).toPromise());
    },
    expire: ({ token }) => void (session.access = token),
    dispose: () => {},
  };
}
