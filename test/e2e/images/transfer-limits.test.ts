/** As many layers at once as the configuration says, over all pulls and pushes together, and as a reload says from then on. */
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";

const LAYERS = 6;

/** Transfers that wait until nobody else comes any more: the most at once is what the daemon lets in. */
class Gate {
	most = 0;
	readonly #waiting: (() => void)[] = [];

	/** Lets one go on after the other, each when as many have come as will come. */
	async pass(expected: number): Promise<void> {
		const { promise, resolve } = Promise.withResolvers<void>();
		this.#waiting.push(resolve);
		this.most = Math.max(this.most, this.#waiting.length);
		if (this.#waiting.length < expected) await Promise.race([promise, Bun.sleep(500)]);
		for (const next of this.#waiting.splice(0)) next();
	}
}

function isTransfer({ method, url = "" }: IncomingMessage): boolean {
	return method === "PATCH" || (method === "GET" && url.includes("/blobs/"));
}

test("max-concurrent-downloads and max-concurrent-uploads hold, and change by a reload", async () => {
	await using registry = await FakeRegistry.open();
	await using daemon = await TestDaemon.start({
		config: { "max-concurrent-downloads": 2, "max-concurrent-uploads": 1 },
	});
	let gate = new Gate();
	let limit = 2;
	registry.misbehave = async (request: IncomingMessage, response: ServerResponse) => {
		const isConfig = request.url?.includes(configs.at(-1) ?? "none") === true;
		if (request.method === "POST")
			response.writeHead(202, { Location: `/upload/${randomBytes(4).toString("hex")}` }).end();
		if (request.method === "HEAD") response.writeHead(404).end();
		if (request.method === "PUT") response.writeHead(201).end();
		if (isTransfer(request) && !isConfig) {
			// One more than is allowed would come if it could.
			await gate.pass(limit + 1);
			if (request.method === "PATCH")
				request.resume().on("end", () => response.writeHead(202, { Location: "/upload/end" }).end());
		}
		return request.method !== "GET";
	};
	const configs: string[] = [];
	const pull = async (tag: string) => {
		const layers = Array.from({ length: LAYERS }, (_, index) => ({ [`file${index}`]: `${tag}${index}` }));
		configs.push(registry.addImage(tag, layers).config);
		gate = new Gate();
		await daemon.mustDocker(["pull", "-q", `${registry.host}/app:${tag}`]);
		return gate.most;
	};
	const push = async (tag: string) => {
		gate = new Gate();
		await daemon.mustDocker(["push", "-q", `${registry.host}/app:${tag}`]);
		return gate.most;
	};
	expect(await pull("one")).toBe(2);
	limit = 1;
	const archive = await (await daemon.api("GET", `/images/get?names=${registry.host}/app:one`)).bytes();
	await daemon.mustDocker(["rmi", `${registry.host}/app:one`]);
	// Loaded layers are known by nothing that a registry has: all of them are uploaded.
	await daemon.api("POST", "/images/load", archive).then((reply) => reply.text());
	expect(await push("one")).toBe(1);

	const reloads = daemon.log.split("reloaded").length;
	const config = { "max-concurrent-downloads": 4, "max-concurrent-uploads": 3 };
	writeFileSync(join(daemon.directory, "daemon.json"), JSON.stringify(config));
	process.kill(daemon.pid, "SIGHUP");
	await waitFor("the reload", () => daemon.log.split("reloaded").length > reloads);
	limit = 4;
	expect(await pull("two")).toBe(4);
	limit = 3;
	expect(await push("one")).toBe(3);
}, 60_000);
