/**
 * The daemon dies while images are pulled, pushed and loaded, before calls to its drivers and in the middle of a layer: the next one shows
 * nothing half-made, has nothing on its disk that no image needs, and does the same again. `GANTRY_CRASH_POINTS=all` takes every call.
 */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { waitFor } from "../../support/commands.ts";
import { FakeRegistry } from "../../support/fake-registry.ts";
import { type RegistryProcess, startRegistry } from "../../support/registry-server.ts";
import { DoomedDaemon } from "./doomed-daemon.ts";
import { Round } from "./operation.ts";
import { seededRandom } from "./random.ts";

const EVERY = process.env["GANTRY_CRASH_POINTS"] === "all";
const CHOSEN = 5;
const TIMEOUT_MS = EVERY ? 300_000 : 90_000;
const LAYERS = 3;
const random = seededRandom(33);

let doomed: DoomedDaemon;
let source: FakeRegistry;
let target: RegistryProcess;
let rounds = 0;

beforeAll(async () => {
	[doomed, source, target] = await Promise.all([DoomedDaemon.start(), FakeRegistry.open(), startRegistry()]);
});
afterAll(async () => {
	await doomed[Symbol.asyncDispose]();
	await source[Symbol.asyncDispose]();
	await target[Symbol.asyncDispose]();
});

interface Transfer {
	readonly prepare: (round: Round) => Promise<void>;
	readonly act: (round: Round) => Promise<void>;
	/** What is there when it has ended well. */
	readonly check: (round: Round) => Promise<void>;
}

const nameOf = (round: Round) => `${source.host}/${round.name}`;
const pushedNameOf = (round: Round) => `${target.host}/${round.name}`;

/** Layers that compress to what is more than one piece of a transfer. */
function publish(round: Round): void {
	const files = Array.from({ length: LAYERS }, (_, index) => ({
		[`file${index}`]: randomBytes(300_000).toString("hex"),
	}));
	source.addImage(round.name, files);
}

async function pull(round: Round): Promise<void> {
	await round.request("POST", `/images/create?fromImage=${encodeURIComponent(nameOf(round))}&tag=${round.name}`);
}

/** As another image, so that nothing is known of its layers. */
async function save(round: Round): Promise<void> {
	publish(round);
	await pull(round);
	const name = `${nameOf(round)}:${round.name}`;
	round.archive = await (await round.daemon.api("GET", `/images/get?names=${name}`)).bytes();
	await round.request("DELETE", `/images/${name}`);
}

async function load(round: Round): Promise<void> {
	await round.request("POST", "/images/load", round.archive);
}

async function push(round: Round): Promise<void> {
	const { daemon } = round;
	const reply = await daemon.api("POST", `/images/${pushedNameOf(round)}/push?tag=1`);
	const text = await reply.text();
	if (!reply.ok || text.includes("errorDetail")) throw new Error(text);
}

const TRANSFERS: Readonly<Record<string, Transfer>> = {
	"image pull": {
		prepare: async (round) => publish(round),
		act: pull,
		check: (round) => expectWhole(round, `${nameOf(round)}:${round.name}`),
	},
	"image load": {
		prepare: save,
		act: load,
		check: (round) => expectWhole(round, `${nameOf(round)}:${round.name}`),
	},
	"image push": {
		prepare: async (round) => {
			await save(round);
			await load(round);
			const name = encodeURIComponent(pushedNameOf(round));
			await round.request("POST", `/images/${nameOf(round)}:${round.name}/tag?repo=${name}&tag=1`);
		},
		act: push,
		check: async (round) => {
			const reply = await fetch(`${target.url}/v2/${round.name}/manifests/1`);
			expect(((await reply.json()) as { layers: unknown[] }).layers).toHaveLength(LAYERS);
		},
	},
};

/** Every byte of it is there: `save` compares all digests. */
async function expectWhole(round: Round, name: string): Promise<void> {
	const archive = await (await round.daemon.api("GET", `/images/get?names=${name}`)).bytes();
	expect(archive.length).toBeGreaterThan(LAYERS * 600_000);
}

/** All images but the base are removed: what is left then belongs to nobody. */
async function expectNothingLeft({ daemon }: Round, base: readonly string[]): Promise<void> {
	const round = new Round(daemon, "all");
	for (const { Id } of (await round.request("GET", "/images/json")) as { Id: string }[])
		if (!(await isBase(round, Id))) await round.request("DELETE", `/images/${Id}?force=1`);
	await round.request("POST", "/images/prune");
	expect(filesOf(daemon.dataRoot)).toEqual([...base]);
}

async function isBase(round: Round, id: string): Promise<boolean> {
	const { RepoTags } = (await round.request("GET", `/images/${id}/json`)) as { RepoTags: string[] };
	return RepoTags.some((tag) => tag.startsWith("busybox"));
}

const AREAS = ["snapshots/layers", "snapshots/ingest", "snapshots/removed", "content/ingest", "content/blobs/sha256"];

function filesOf(dataRoot: string): string[] {
	return AREAS.flatMap((area) => readdirSync(join(dataRoot, area)).map((name) => `${area}/${name}`)).sort();
}

function layersStored(dataRoot: string): number {
	using database = new Database(join(dataRoot, "gantry.db"), { readonly: true });
	return database.query("SELECT chain_id FROM layers").all().length;
}

/** Images that show are whole, whatever the daemon was at. */
async function expectAllWhole(round: Round): Promise<void> {
	const list = (await round.request("GET", "/images/json")) as { Id: string; RepoTags: string[] }[];
	for (const { Id } of list) await round.request("GET", `/images/get?names=${Id}`);
}

function choose<T>(calls: readonly T[]): T[] {
	if (EVERY || calls.length <= CHOSEN) return [...calls];
	const width = calls.length / CHOSEN;
	const at = (part: number) => calls[Math.floor((part + random.next()) * width)];
	return Array.from({ length: CHOSEN }, (_, part) => at(part)).filter((call) => call !== undefined);
}

for (const [name, transfer] of Object.entries(TRANSFERS))
	test(
		`${name}, killed before calls to its drivers`,
		async () => {
			const { daemon } = doomed;
			const base = filesOf(daemon.dataRoot);
			const begin = async () => {
				const round = new Round(daemon, `t${rounds++}`);
				await transfer.prepare(round);
				return round;
			};
			const first = await begin();
			const calls = await doomed.changingCalls(() => transfer.act(first));
			await transfer.check(first);
			await expectNothingLeft(first, base);
			expect(calls.length).toBeGreaterThan(name === "image push" ? 0 : LAYERS);
			for (const { number } of choose(calls)) {
				const round = await begin();
				const death = await doomed.dieAt(number, () => transfer.act(round));
				if (death !== undefined) await daemon.start();
				await expectAllWhole(round);
				await transfer.act(round);
				await transfer.check(round);
				await expectNothingLeft(round, base);
			}
			expect(await doomed.audit()).toEqual([]);
		},
		{ timeout: TIMEOUT_MS },
	);

test(
	"killed in the middle of a pulled layer, the next daemon fetches what was not complete, and only that",
	async () => {
		const { daemon } = doomed;
		const base = filesOf(daemon.dataRoot);
		const round = new Round(daemon, `t${rounds++}`);
		publish(round);
		const { layers } = JSON.parse(String(source.manifests.get(round.name)?.bytes)) as { layers: { digest: string }[] };
		const last = layers.at(-1)?.digest ?? "";
		const half = (source.blobs.get(last)?.length ?? 0) >> 1;
		const before = layersStored(daemon.dataRoot);
		let sent = false;
		source.misbehave = (request, response) => {
			if (request.url?.endsWith(last) !== true) return false;
			response.writeHead(200, { "Content-Length": half * 2 }).write(source.blobs.get(last)?.subarray(0, half), () => {
				sent = true;
			});
			return true;
		};
		const pulling = pull(round).catch(() => {});
		// Records of complete layers are stored within seconds, not at the end only.
		const areOthersStored = () => layersStored(daemon.dataRoot) === before + LAYERS - 1;
		await waitFor("the other layers", () => sent && areOthersStored(), 30_000);
		await daemon.kill();
		await pulling;
		source.misbehave = () => false;
		source.requests.length = 0;
		await daemon.start();
		expect(readdirSync(join(daemon.dataRoot, "snapshots/ingest"))).toEqual([]);
		await pull(round);
		expect(source.requests.filter((line) => layers.some(({ digest }) => line.endsWith(digest)))).toEqual([
			`GET /v2/${round.name}/blobs/${last}`,
		]);
		await expectWhole(round, `${nameOf(round)}:${round.name}`);
		await expectNothingLeft(round, base);
	},
	{ timeout: TIMEOUT_MS },
);

test(
	"killed in the middle of an archive or of a pushed layer, the next daemon has nothing of it and does it again",
	async () => {
		const { daemon } = doomed;
		const base = filesOf(daemon.dataRoot);
		const round = new Round(daemon, `t${rounds++}`);
		await save(round);
		const socket = connect(daemon.socketPath);
		socket.on("error", () => {});
		const head = `POST /images/load HTTP/1.1\r\nHost: gantry\r\nContent-Type: application/x-tar\r\nContent-Length: ${round.archive.length}\r\n\r\n`;
		socket.write(head);
		socket.write(round.archive.subarray(0, round.archive.length >> 1));
		const ingest = join(daemon.dataRoot, "content/ingest");
		await waitFor("half of the archive", () => readdirSync(ingest).length > 0);
		await daemon.kill();
		await daemon.start();
		expect(filesOf(daemon.dataRoot)).toEqual(base);
		await load(round);

		const half = await receivesHalf();
		await using registry = half.registry;
		const query = `repo=${encodeURIComponent(`${registry.host}/${round.name}`)}&tag=1`;
		await round.request("POST", `/images/${nameOf(round)}:${round.name}/tag?${query}`);
		const pushing = daemon.api("POST", `/images/${registry.host}/${round.name}/push?tag=1`);
		pushing.then((reply) => reply.text()).catch(() => {});
		await waitFor("half of a layer", () => half.uploads() >= LAYERS);
		await daemon.kill();
		await daemon.start();
		expect(readdirSync(ingest)).toEqual([]);
		const name = encodeURIComponent(pushedNameOf(round));
		await round.request("POST", `/images/${nameOf(round)}:${round.name}/tag?repo=${name}&tag=1`);
		await push(round);
		await expectNothingLeft(round, base);
	},
	{ timeout: TIMEOUT_MS },
);

/** A registry that begins uploads and never ends them. */
async function receivesHalf(): Promise<{ readonly registry: FakeRegistry; readonly uploads: () => number }> {
	const registry = await FakeRegistry.open();
	let uploads = 0;
	registry.misbehave = (request, response) => {
		if (request.method === "POST") response.writeHead(202, { Location: `${request.url}${uploads}` }).end();
		else if (request.method === "PATCH") request.once("data", () => uploads++);
		return request.method === "POST" || request.method === "PATCH";
	};
	return { registry, uploads: () => uploads };
}
