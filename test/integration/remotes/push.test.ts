/** Against Debian's docker-registry, a process of its own for each test file. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProgressMessage } from "../../../src/api/engine/image.ts";
import { ImageBench } from "../../support/image-bench.ts";
import { tarOf } from "../../support/tar-builder.ts";

const BINARY = Bun.which("docker-registry");
if (BINARY === null) console.warn("skipped: docker-registry is not installed");
const withRegistry = test.skipIf(BINARY === null);

interface Peer {
	readonly host: string;
	readonly root: string;
	readonly process: Bun.Subprocess;
}

let first: Peer;
let second: Peer;

beforeAll(async () => {
	if (BINARY === null) return;
	first = await startPeer(BINARY);
	second = await startPeer(BINARY);
});

afterAll(async () => {
	for (const peer of [first, second]) {
		if (peer === undefined) continue;
		peer.process.kill();
		await peer.process.exited;
		rmSync(peer.root, { recursive: true, force: true });
	}
});

async function startPeer(binary: string): Promise<Peer> {
	const root = mkdtempSync(join(tmpdir(), "gantry-registry-peer-"));
	const host = `127.0.0.1:${await freePort()}`;
	const lines = [
		"version: 0.1",
		"log: {level: error}",
		`storage: {filesystem: {rootdirectory: ${root}/data}}`,
		`http: {addr: "${host}"}`,
	];
	writeFileSync(join(root, "config.yml"), lines.join("\n"));
	const process = Bun.spawn([binary, "serve", join(root, "config.yml")], { stdout: "ignore", stderr: "ignore" });
	for (let attempt = 0; attempt < 200; attempt++) {
		if ((await fetch(`http://${host}/v2/`).catch(() => undefined))?.ok === true) break;
		await Bun.sleep(25);
	}
	return { host, root, process };
}

async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as { port: number };
	await new Promise((resolve) => server.close(resolve));
	return port;
}

const never = new AbortController().signal;

async function collect(messages: AsyncIterable<ProgressMessage>): Promise<string[]> {
	const lines: string[] = [];
	for await (const { status, progress, id } of messages)
		if (status !== undefined && progress === undefined) lines.push(id === undefined ? status : `${id}: ${status}`);
	return lines;
}

const push = (bench: ImageBench, image: string, tag = "1") =>
	collect(bench.service.push({ image, tag, platform: undefined, credentials: undefined }, never));
const pull = (bench: ImageBench, image: string, tag = "1") =>
	collect(bench.service.pull({ image, tag, platform: "", credentials: undefined }, never));

function digestIn(lines: readonly string[]): string {
	return /sha256:[0-9a-f]{64}/.exec(lines.find((line) => /[Dd]igest: /.test(line)) ?? "")?.[0] ?? "none";
}

withRegistry("what was pushed is pulled elsewhere as the same image, and pushed on with the same digest", async () => {
	await using maker = new ImageBench();
	const tar = tarOf({ name: "etc/", mode: 0o755 }, { name: "etc/hello", content: "hello".repeat(5000) });
	const id = await maker.import(tar);
	await maker.service.tag(id, `${first.host}/team/app`, "1");
	const digest = digestIn(await push(maker, `${first.host}/team/app`));

	await using user = new ImageBench();
	expect(digestIn(await pull(user, `${first.host}/team/app`))).toBe(digest);
	expect(user.service.resolve(`${first.host}/team/app:1`).id as string).toBe(id);
	await user.service.tag(id, `${second.host}/other/app`, "2");
	const lines = await push(user, `${second.host}/other/app`, "2");
	expect(digestIn(lines)).toBe(digest);
	expect(lines.some((line) => line.endsWith(": Pushed"))).toBe(true);
});

withRegistry("a layer goes to a registry once: it is found there again, or mounted", async () => {
	await using bench = new ImageBench();
	const id = await bench.import(tarOf({ name: "data", content: "x".repeat(100_000) }));
	const name = `${first.host}/shared/one`;
	await bench.service.tag(id, name, "1");
	const digest = digestIn(await push(bench, name));
	const again = await push(bench, name);
	expect(again.some((line) => line.endsWith(": Layer already exists"))).toBe(true);
	await bench.service.tag(id, `${first.host}/shared/two`, "1");
	const mounted = await push(bench, `${first.host}/shared/two`);
	expect(mounted.some((line) => line.endsWith(": Mounted from shared/one"))).toBe(true);
	expect([digestIn(again), digestIn(mounted)]).toEqual([digest, digest]);
});

withRegistry(
	"when the source of a layer is gone, the layer is compressed anew and the image stays the same",
	async () => {
		await using maker = new ImageBench();
		const id = await maker.import(tarOf({ name: "data", content: "y".repeat(100_000) }));
		if (BINARY === null) return;
		const source = await startPeer(BINARY);
		await maker.service.tag(id, `${source.host}/gone`, "1");
		await push(maker, `${source.host}/gone`);
		await using user = new ImageBench();
		await pull(user, `${source.host}/gone`);
		source.process.kill();
		await source.process.exited;
		rmSync(source.root, { recursive: true, force: true });
		await user.service.tag(id, `${second.host}/rescued`, "1");
		await push(user, `${second.host}/rescued`);
		await using third = new ImageBench();
		await pull(third, `${second.host}/rescued`);
		expect(third.service.resolve(`${second.host}/rescued:1`).id as string).toBe(id);
	},
);

withRegistry("pushing what is not there says so in the words clients know", async () => {
	await using bench = new ImageBench();
	await expect(push(bench, `${first.host}/nothing`)).rejects.toThrow(
		`An image does not exist locally with the tag: ${first.host}/nothing`,
	);
});
