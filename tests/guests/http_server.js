// An HTTP server: each path does something else to the server that runs it.
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
    case "/trap":
      throw new Error("on purpose");
    default:
      return new Response("nothing here\n", { status: 404 });
  }
}
