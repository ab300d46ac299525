/** The web server that traffic is measured against: it runs in a container's network namespace, the same for every engine. */
Bun.serve({ port: 80, hostname: "0.0.0.0", fetch: () => new Response("hello\n") });
