/** ADD of URLs and repositories goes through the daemon's proxy, or the one that build arguments name. */
import { afterAll, expect, test } from "bun:test";
import { BuildSuite } from "../../support/build-suite.ts";
import { TestProxy } from "../../support/proxy.ts";

const web = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("fetched") });
const toWeb = () => `127.0.0.1:${web.port}`;
const daemons = await TestProxy.open(toWeb);
const own = await TestProxy.open(toWeb);
const suite = new BuildSuite({ daemon: { env: { HTTP_PROXY: `http://${daemons.host}`, NO_PROXY: "not.test" } } });

afterAll(async () => {
	await web.stop(true);
	for (const proxy of [daemons, own]) await proxy[Symbol.asyncDispose]();
});

const add = (host: string) => ["FROM busybox", `ADD http://${host}/file /file`, 'RUN [ "$(cat /file)" = fetched ]'];

test("the daemon's", async () => {
	await suite.mustBuild(add("some.test"));
	expect(daemons.requests).toContain("GET http://some.test/file");
	expect(await suite.failure(add("not.test"))).toContain("failed to fetch http://not.test/file");
});

test("that of build arguments", async () => {
	await suite.mustBuild(add("other.test"), "--build-arg", `http_proxy=http://${own.host}`);
	expect(own.requests).toEqual(["GET http://other.test/file"]);
	expect(daemons.requests.join()).not.toContain("other.test");
});

test("for repositories, too", async () => {
	const failure = await suite.failure(["FROM busybox", "ADD http://some.test/app.git /app"]);
	expect(failure).toContain("repository http://some.test/app.git does not contain ref HEAD");
	expect(daemons.requests.join()).toContain("GET http://some.test/app.git/info/refs");
});
