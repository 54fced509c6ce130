// The frame around all pages: navigation, keys, and whether the page hears from the manager.

import { type ReactNode, Suspense, useEffect, useMemo, useState } from "react";
import { Button } from "react-aria-components";
import { Link, Redirect, Route, Switch, useLocation } from "wouter";
import { useConnection } from "./live/connection";
import { later } from "./live/later";
import { managerNow } from "./live/manager-clock";
import { FaultBoundary } from "./parts/fault";
import { useKeys, useShowKeys } from "./parts/keys";
import { Empty, Loading } from "./parts/messages";
import { SignedIn } from "./parts/sign-in";
import { useTitle } from "./parts/title";
import { idFrom } from "./raw-address";
import { clock } from "./words";
import "./app.css";

const Overview = later(() => import("./pages/overview/overview"));
const Groups = later(() => import("./pages/groups/groups"));
const Group = later(() => import("./pages/group/group"));
const Tasks = later(() => import("./pages/tasks/tasks"));
const Task = later(() => import("./pages/task/task"));
const Fleet = later(() => import("./pages/fleet/fleet"));
const Proplet = later(() => import("./pages/fleet/proplet"));
const Events = later(() => import("./pages/events/events"));
const New = later(() => import("./pages/new/new"));

/** The places in the navigation; the letter follows `g`, the digit is that of `propeller top`. */
const PLACES = [
  { path: "/overview", name: "Overview", letter: "o", digit: "1" },
  { path: "/workflows", name: "Workflows", letter: "w", digit: "2" },
  { path: "/jobs", name: "Jobs", letter: "j" },
  { path: "/tasks", name: "Tasks", letter: "t", digit: "3" },
  { path: "/proplets", name: "Proplets", letter: "p", digit: "4" },
  { path: "/events", name: "Events", letter: "e", digit: "5" },
  { path: "/new", name: "New", letter: "n" },
] as const;

export function App(): ReactNode {
  const [location, go] = useLocation();
  const keys = useMemo(
    () => [
      ...PLACES.map((place) => ({
        keys: `g ${place.letter}`,
        text: `Go to ${place.name}`,
        act: () => go(place.path),
      })),
      ...PLACES.flatMap((place) =>
        "digit" in place
          ? [{ keys: place.digit, text: `Go to ${place.name}`, act: () => go(place.path) }]
          : [],
      ),
      { keys: "/", text: "Search", act: focusSearch },
    ],
    [go],
  );
  useKeys("Everywhere", keys, "everywhere");
  return (
    <div className="frame">
      <button type="button" className="skip" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the content
      </button>
      <Navigation />
      <main id="main" tabIndex={-1}>
        <ConnectionBanner />
        <FaultBoundary place={location}>
          <Suspense fallback={<Loading what="Loading" />}>
            <Switch>
              <Route path="/">
                <Redirect to="/overview" replace />
              </Route>
              <Route path="/overview" component={Overview} />
              <Route path="/workflows">
                <Groups kind="workflow" />
              </Route>
              <Route path="/jobs">
                <Groups kind="job" />
              </Route>
              <Route path="/workflows/:id">
                {({ id }) => <Group kind="workflow" id={idFrom(id)} key={id} />}
              </Route>
              <Route path="/jobs/:id">{({ id }) => <Group kind="job" id={idFrom(id)} key={id} />}</Route>
              <Route path="/tasks" component={Tasks} />
              <Route path="/tasks/:id">{({ id }) => <Task id={idFrom(id)} key={id} />}</Route>
              <Route path="/proplets" component={Fleet} />
              <Route path="/proplets/:id">{({ id }) => <Proplet id={idFrom(id)} key={id} />}</Route>
              <Route path="/events" component={Events} />
              <Route path="/new" component={New} />
              <Route>
                <NoPage />
              </Route>
            </Switch>
          </Suspense>
        </FaultBoundary>
      </main>
    </div>
  );
}

function NoPage(): ReactNode {
  useTitle("No such page");
  return (
    <Empty title="There is no such page">
      <Link href="/overview">Go to the overview</Link>
    </Empty>
  );
}

function focusSearch(): void {
  document.querySelector<HTMLInputElement>("input[type=search]")?.focus();
}

function Navigation(): ReactNode {
  const [location] = useLocation();
  const [isOpen, setOpen] = useState(false);
  const showKeys = useShowKeys();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new place closes the menu of a phone
  useEffect(() => setOpen(false), [location]);
  return (
    <nav className="navigation" data-open={isOpen || undefined} aria-label="Pages">
      <div className="brand">
        <img src="icon.svg" alt="" width="22" height="22" />
        <span>Propeller</span>
        <Button
          className="menu-button"
          aria-expanded={isOpen}
          aria-label="Menu"
          onPress={() => setOpen(!isOpen)}
        >
          ☰
        </Button>
      </div>
      <ul>
        {PLACES.map((place) => (
          <li key={place.path}>
            <Link
              href={place.path}
              aria-current={
                location === place.path || location.startsWith(`${place.path}/`) ? "page" : undefined
              }
            >
              {place.name}
            </Link>
          </li>
        ))}
      </ul>
      <SignedIn />
      <Button className="keys-button" onPress={showKeys}>
        <kbd>?</kbd> Keys
      </Button>
    </nav>
  );
}

function ConnectionBanner(): ReactNode {
  const { isLost, since, isSignedOut } = useConnection();
  return (
    <div role="status" aria-live="polite">
      {isLost && (
        <div className="lost">
          {isSignedOut
            ? "You are not signed in, or your sign-in has run out. Sign in again, and load this page again."
            : "Not connected to the manager. The page tries again by itself."}{" "}
          What you see is as of {clock(since, managerNow())}.
        </div>
      )}
    </div>
  );
}
