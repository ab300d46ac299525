/** What is measured: each scenario gives the seconds of one measurement on one side. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EngineClient, IMAGE, PREFIX } from "./engine-client.ts";

export interface Scenario {
	readonly name: string;
	/** See `Figure`. */
	readonly goal?: number;
	readonly ownClientGoal?: number;
	/** Part of the rounds that slow scenarios are content with; 1 by default. */
	readonly roundsFactor?: number;
	/** Before the first round. */
	readonly prepare?: (client: EngineClient) => Promise<void>;
	readonly measure: (client: EngineClient) => Promise<number>;
	/** After the last round. */
	readonly cleanUp?: (client: EngineClient) => Promise<void>;
}

export const OUTPUT_BYTES = 100_000_000;
/** A file of 100-byte lines in the image. */
export const OUTPUT_FILE = "/bench/lines";

const COPY_BYTES = 200_000_000;
const MANY = 20;
const PAGE_PORT = 18_080;
const HOLDER = `${PREFIX}-holder`;
const SLEEP = ["sleep", "3600"];
/** The same on every engine, and all of the output kept. */
const KEEP_ALL_LOGS = ["--log-driver", "json-file", "--log-opt", "max-size=1g"];

const startHolder = async (client: EngineClient) => {
	await client.time("run", "-d", "--name", HOLDER, IMAGE, ...SLEEP);
};
const removeAll = (client: EngineClient) => client.removeContainers();
const manyNames = Array.from({ length: MANY }, (_, index) => `${PREFIX}-${index}`);

async function startMany(client: EngineClient): Promise<number> {
	const startedAt = performance.now();
	await Promise.all(manyNames.map((name) => client.time("run", "-d", "--name", name, IMAGE, ...SLEEP)));
	return (performance.now() - startedAt) / 1000;
}

async function logDetached(client: EngineClient): Promise<number> {
	const startedAt = performance.now();
	await client.time("run", "-d", "--name", HOLDER, ...KEEP_ALL_LOGS, IMAGE, "cat", OUTPUT_FILE);
	await client.time("wait", HOLDER);
	return (performance.now() - startedAt) / 1000;
}

async function untilPage(client: EngineClient): Promise<number> {
	const startedAt = performance.now();
	const port = `${PAGE_PORT}:80`;
	await client.time("run", "-d", "--name", HOLDER, "-p", port, IMAGE, "httpd", "-f", "-h", "/var/www");
	while (!(await client.fetchPage(PAGE_PORT)))
		if (performance.now() - startedAt > 30_000) throw new Error(`${client.side.name}: no page on port ${PAGE_PORT}`);
	const seconds = (performance.now() - startedAt) / 1000;
	await client.removeContainers();
	return seconds;
}

/** A file to copy in, in a directory of its own. */
async function withCopyFile<T>(use: (directory: string) => Promise<T>): Promise<T> {
	const directory = mkdtempSync(join(tmpdir(), "gantry-bench-"));
	try {
		writeFileSync(join(directory, "in"), Buffer.alloc(COPY_BYTES, "0123456789abcdef\n"));
		return await use(directory);
	} finally {
		rmSync(directory, { recursive: true, force: true });
	}
}

export const SCENARIOS: readonly Scenario[] = [
	{
		name: "run --rm … true",
		goal: 1 / 4,
		ownClientGoal: 1 / 5,
		measure: (client) => client.time("run", "--rm", IMAGE, "true"),
	},
	{
		name: "run --rm --network none … true",
		goal: 1 / 4,
		measure: (client) => client.time("run", "--rm", "--network", "none", IMAGE, "true"),
	},
	{
		name: "run --rm -p … true",
		goal: 1 / 4,
		measure: (client) => client.time("run", "--rm", "-p", "80", IMAGE, "true"),
	},
	{ name: "run -d -p … until the first page", measure: untilPage, cleanUp: removeAll, roundsFactor: 0.5 },
	{
		name: "exec … true",
		goal: 1 / 4,
		prepare: startHolder,
		measure: (client) => client.time("exec", HOLDER, "true"),
		cleanUp: removeAll,
	},
	{
		name: "create + rm",
		goal: 1 / 2,
		measure: async (client) =>
			(await client.time("create", "--name", HOLDER, IMAGE, "true")) + (await client.time("rm", HOLDER)),
		cleanUp: removeAll,
	},
	{
		name: "20 parallel run -d",
		goal: 1 / 3,
		roundsFactor: 0.3,
		measure: async (client) => {
			const seconds = await startMany(client);
			await client.removeContainers();
			return seconds;
		},
		cleanUp: removeAll,
	},
	{
		name: "rm -f of 20 running",
		goal: 1 / 4,
		roundsFactor: 0.3,
		measure: async (client) => {
			await startMany(client);
			return client.time("rm", "-f", ...manyNames);
		},
		cleanUp: removeAll,
	},
	{
		name: "100 MB of attached output",
		goal: 1 / 5,
		roundsFactor: 0.3,
		measure: (client) => client.time("run", "--rm", ...KEEP_ALL_LOGS, IMAGE, "cat", OUTPUT_FILE),
	},
	{
		name: "100 MB logged detached (run -d + wait)",
		goal: 1 / 5,
		roundsFactor: 0.3,
		measure: async (client) => {
			const seconds = await logDetached(client);
			await client.removeContainers();
			return seconds;
		},
		cleanUp: removeAll,
	},
	{
		name: "100 MB read back by logs",
		goal: 1 / 8,
		roundsFactor: 0.3,
		prepare: async (client) => {
			await logDetached(client);
		},
		measure: (client) => client.time("logs", HOLDER),
		cleanUp: removeAll,
	},
	{
		name: "cp of 200 MB in",
		goal: 1,
		roundsFactor: 0.3,
		prepare: startHolder,
		measure: (client) => withCopyFile((directory) => client.time("cp", join(directory, "in"), `${HOLDER}:/in`)),
		cleanUp: removeAll,
	},
	{
		name: "cp of 200 MB out",
		goal: 1,
		roundsFactor: 0.3,
		prepare: async (client) => {
			await startHolder(client);
			await withCopyFile((directory) => client.time("cp", join(directory, "in"), `${HOLDER}:/in`));
		},
		measure: (client) => withCopyFile((directory) => client.time("cp", `${HOLDER}:/in`, join(directory, "out"))),
		cleanUp: removeAll,
	},
	{ name: "ps", prepare: startHolder, measure: (client) => client.time("ps"), cleanUp: removeAll },
];
