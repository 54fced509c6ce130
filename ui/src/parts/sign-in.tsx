// Who uses the page. Where the manager wants to know, it asks for a token, and keeps nothing: the session is in a cookie
// that no script can read.

import { createContext, type FormEvent, type ReactNode, useContext, useEffect, useState } from "react";
import { Button } from "react-aria-components";
import { api, apiRoot, ask, type Shapes } from "../api/client";
import { useConnection } from "../live/connection";
import { Problem } from "./messages";
import { useTitle } from "./title";
import "./sign-in.css";

type Who = Shapes["PrincipalView"];

const WhoContext = createContext<Who | null>(null);

/** Show what is in it, or a sign-in where the manager does not know who looks at the page. */
export function SignInProvider({ children }: { children: ReactNode }): ReactNode {
  const [who, setWho] = useState<Who | null>(null);
  const [isAsked, setAsked] = useState(false);
  const { isSignedOut } = useConnection();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a stream that is refused asks who one is anew
  useEffect(() => {
    let isCurrent = true;
    void askWho().then((found) => {
      if (!isCurrent || found === "unknown") return;
      setWho(found === "nobody" ? null : found);
      setAsked(found === "nobody");
    });
    return () => {
      isCurrent = false;
    };
  }, [isSignedOut]);
  return <WhoContext value={who}>{isAsked ? <SignIn /> : children}</WhoContext>;
}

/** Say who is signed in; "unknown" where the manager can't be asked, or somebody in between answers for it. */
async function askWho(): Promise<Who | "nobody" | "unknown"> {
  try {
    const { data, response } = await api.GET("/session", { cache: "no-store" });
    if (data !== undefined) return data;
    const isOurs = response.headers.get("www-authenticate")?.startsWith("Bearer");
    return response.status === 401 && isOurs ? "nobody" : "unknown";
  } catch {
    return "unknown";
  }
}

function SignIn(): ReactNode {
  useTitle("Sign in");
  const [token, setToken] = useState("");
  const [error, setError] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const issuer = useIssuer();
  const signIn = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      const answer = await api.POST("/session", { body: { token: token.trim() } });
      if (answer.response.status === 401)
        throw new Error("The manager does not know this token, or it has ended.");
      await ask(Promise.resolve(answer));
      location.reload();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <main className="sign-in">
      <form onSubmit={(event) => void signIn(event)}>
        <h1>Sign in to Propeller</h1>
        <label>
          Token
          <input
            type="password"
            autoComplete="current-password"
            required
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        </label>
        <p>An admin makes one with: propeller tokens create</p>
        {error !== null && <Problem error={error} />}
        <Button type="submit" className="button" isDisabled={isBusy}>
          Sign in
        </Button>
        {issuer !== null && <a href={`${apiRoot}/session/oidc/start`}>Sign in at {issuer}</a>}
      </form>
    </main>
  );
}

/** Give the host of the issuer at which people may sign in; null if there is none. */
function useIssuer(): string | null {
  const [issuer, setIssuer] = useState<string | null>(null);
  useEffect(() => {
    void api.GET("/session/oidc").then(
      ({ data }) => data?.has_page && setIssuer(new URL(data.issuer).host),
      () => undefined,
    );
  }, []);
  return issuer;
}

/** Say who is signed in, where the manager knows people, and let them sign out. */
export function SignedIn(): ReactNode {
  const who = useContext(WhoContext);
  if (who === null || who.how === "none") return null;
  const signOut = async (): Promise<void> => {
    await api.DELETE("/session");
    location.reload();
  };
  return (
    <div className="signed-in">
      <span>{who.name}</span> <small>{who.role}</small>
      {who.how === "session" && (
        <Button className="keys-button" onPress={() => void signOut()}>
          Sign out
        </Button>
      )}
    </div>
  );
}
