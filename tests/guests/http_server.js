// An HTTP server: each path does something else to the server that runs it.
import { getEnvironment } from "wasi:cli/environment@0.2.10";

addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/":
      return new Response("Hello from Wasm\n", { headers: { "content-type": "text/plain" } });
    case "/echo":
      return new Response(request.body, { status: 201 });
    case "/headers":
      return Response.json(Object.fromEntries(request.headers));
    case "/slow":
      await new Promise((done) => setTimeout(done, Number(url.searchParams.get("ms"))));
      return new Response("slow\n");
    case "/loop":
      for (;;);
    case "/env":
      return Response.json(Object.fromEntries(getEnvironment()));
    case "/print":
      console.log(url.searchParams.get("text"));
      return new Response("printed\n");
    case "/parts": // sends a part, and the rest only when the client has sent something
      return new Response(
        request.body.pipeThrough(
          new TransformStream({
            start: (controller) => controller.enqueue(new TextEncoder().encode("ready\n")),
          }),
        ),
      );
    case "/trap":
      throw new Error("on purpose");
    default:
      return new Response("nothing here\n", { status: 404 });
  }
}
