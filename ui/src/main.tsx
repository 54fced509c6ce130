import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Router } from "wouter";
import { Refused } from "./api/client";
import { App } from "./app";
import { OverviewProvider } from "./live/overview";
import { ConfirmProvider } from "./parts/confirm";
import { KeysProvider } from "./parts/keys";
import { SignInProvider } from "./parts/sign-in";
import { useRawLocation, useRawSearch } from "./raw-address";
import "./theme.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What changes is said by the manager; a refusal does not change by asking again.
      staleTime: Number.POSITIVE_INFINITY,
      retry: (tries, error) => !(error instanceof Refused && error.status < 500) && tries < 20,
      retryDelay: (tries) => Math.min(500 * 2 ** tries, 5_000),
      networkMode: "always",
      refetchOnWindowFocus: false,
    },
    mutations: { networkMode: "always" },
  },
});

const root = document.getElementById("root");
if (root === null) throw new Error("the document has no place for the page");

createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <Router
        base={new URL(document.baseURI).pathname.replace(/\/$/, "")}
        hook={useRawLocation}
        searchHook={useRawSearch}
      >
        <KeysProvider>
          <ConfirmProvider>
            <SignInProvider>
              <OverviewProvider>
                <App />
              </OverviewProvider>
            </SignInProvider>
          </ConfirmProvider>
        </KeysProvider>
      </Router>
    </QueryClientProvider>
  </StrictMode>,
);
