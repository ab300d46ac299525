/** `bun run bench`: times of whole client processes on several engines, side by side, in turns. See docs/benchmark.md. */
import { writeFileSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { errorMessage } from "../src/base/errors.ts";
import { BUSYBOX_TIME_S } from "../src/cli/image/bootstrap/busybox-tree.ts";
import { writeTar } from "../src/cli/image/bootstrap/entry-tar.ts";
import { BUSYBOX_CHANGES, busyboxImageEntries } from "../tools/base-images/busybox.ts";
import { EngineClient, IMAGE, PREFIX } from "./engine-client.ts";
import { measureIdle, measureMemory } from "./memory.ts";
import { NetworkScenarios } from "./network-scenarios.ts";
import { OUTPUT_BYTES, OUTPUT_FILE, SCENARIOS, type Scenario } from "./scenarios.ts";
import { type BenchOptions, parseBenchOptions } from "./sides.ts";
import { type Figure, markdownTable, median } from "./table.ts";
import { TransferScenarios } from "./transfer-scenarios.ts";

const MIN_ROUNDS = 3;

function log(line: string): void {
	process.stderr.write(`${line}\n`);
}

/** The same image everywhere: busybox and a file of lines to print. */
async function loadImages(clients: readonly EngineClient[]): Promise<void> {
	const lines = Buffer.alloc(OUTPUT_BYTES, `${"x".repeat(99)}\n`);
	const tar = writeTar(
		[
			...busyboxImageEntries(),
			{ kind: "directory", path: "bench", mode: 0o755 },
			{ kind: "file", path: OUTPUT_FILE.slice(1), mode: 0o644, content: lines },
		],
		BUSYBOX_TIME_S,
	);
	const changes = BUSYBOX_CHANGES.flatMap((change) => ["--change", change]);
	for (const client of clients) {
		if (client.side.repeatsEngine) continue;
		log(`${client.side.name}: importing ${IMAGE}`);
		await client.removeContainers();
		await client.feed(tar, "import", ...changes, "-", IMAGE);
		const printed = (await client.feed(undefined, "run", "--rm", IMAGE, "cat", OUTPUT_FILE)).length;
		if (printed !== OUTPUT_BYTES) throw new Error(`${client.side.name} printed ${printed} of ${OUTPUT_BYTES} bytes`);
	}
}

/** Sides take turns, each round beginning with another one; a side that fails is left out of this scenario and named. */
async function runScenario(scenario: Scenario, clients: readonly EngineClient[], rounds: number): Promise<Figure> {
	const values: Record<string, number[]> = {};
	const failed = new Set<EngineClient>();
	const attempt = async (client: EngineClient, action: () => Promise<void>) => {
		try {
			await action();
		} catch (error) {
			failed.add(client);
			log(`  ${scenario.name}: ${errorMessage(error)}`);
		}
	};
	// The sides of one engine share its containers' names, so they take the whole scenario one after another.
	for (const group of groupsWithoutSharedEngine(clients)) {
		for (const client of group) await attempt(client, async () => scenario.prepare?.(client));
		for (let round = 0; round < rounds; round++)
			for (let index = 0; index < group.length; index++) {
				const client = group[(index + round) % group.length];
				if (client === undefined || failed.has(client)) continue;
				await attempt(client, async () => {
					const seconds = await scenario.measure(client);
					values[client.side.name] = [...(values[client.side.name] ?? []), seconds];
				});
			}
		for (const client of group) await attempt(client, async () => scenario.cleanUp?.(client));
	}
	for (const client of failed) delete values[client.side.name];
	const { goal, ownClientGoal } = scenario;
	return {
		scenario: scenario.name,
		unit: "s",
		values,
		...(goal === undefined ? {} : { goal }),
		...(ownClientGoal === undefined ? {} : { ownClientGoal }),
	};
}

function groupsWithoutSharedEngine(clients: readonly EngineClient[]): EngineClient[][] {
	const first = clients.filter((client) => !client.side.repeatsEngine);
	const second = clients.filter((client) => client.side.repeatsEngine);
	return second.length === 0 ? [first] : [first, second];
}

async function runMemory(clients: readonly EngineClient[]): Promise<Figure[]> {
	const idle: Record<string, number[]> = {};
	const perContainer: Record<string, number[]> = {};
	for (const client of clients) {
		if (client.side.repeatsEngine) continue;
		try {
			const figures = await measureMemory(client);
			idle[client.side.name] = [figures.idleMb];
			perContainer[client.side.name] = [figures.perContainerMb];
		} catch (error) {
			log(`  memory: ${errorMessage(error)}`);
		}
	}
	return [
		{ scenario: "memory, daemon idle", unit: "MB", limit: 90, values: idle },
		{ scenario: "memory, each running container", unit: "MB", limit: 2, values: perContainer },
	];
}

async function runIdleMemory(clients: readonly EngineClient[]): Promise<Figure> {
	const values: Record<string, number[]> = {};
	for (const client of clients) if (!client.side.repeatsEngine) values[client.side.name] = [await measureIdle(client)];
	return { scenario: "memory, daemon idle after all this", unit: "MB", limit: 90, values };
}

async function runAll({ sides, rounds, only }: BenchOptions): Promise<Figure[]> {
	const all = sides.map((side) => new EngineClient(side));
	const clients = all.filter(({ side }) => side.storage === undefined);
	const wanted = (name: string) => only.length === 0 || only.some((part) => name.includes(part));
	const figures: Figure[] = [];
	await loadImages(clients);
	// First, while the daemons are as quiet as they get.
	if (wanted("memory")) figures.push(...(await runMemory(clients)));
	await using transfers = new TransferScenarios(sides);
	await using traffic = new NetworkScenarios();
	const time = async (scenario: Scenario, those: readonly EngineClient[]) => {
		if (!wanted(scenario.name)) return;
		const count = Math.max(MIN_ROUNDS, Math.round(rounds * (scenario.roundsFactor ?? 1)));
		const figure = await runScenario(scenario, those, Math.min(count, Math.max(rounds, 1)));
		log(
			`${scenario.name}: ${sides.map(({ name }) => `${name} ${median(figure.values[name] ?? []).toFixed(3)}`).join(", ")}`,
		);
		figures.push(figure);
	};
	for (const scenario of [...SCENARIOS, ...traffic.all()]) await time(scenario, clients);
	for (const scenario of transfers.all()) await time(scenario, all);
	for (const client of all) await client.removeStorage();
	if (wanted("memory")) figures.push(await runIdleMemory(clients));
	for (const client of clients) {
		if (client.side.repeatsEngine) continue;
		await client.removeContainers();
		await client.time("rmi", "-f", IMAGE);
	}
	return figures;
}

/** The client as it is shipped, of this very checkout. */
async function buildGantry(): Promise<string> {
	const root = join(import.meta.dir, "..");
	const argv = [process.execPath, join(root, "tools/build/main.ts")];
	const code = await Bun.spawn(argv, { cwd: root, stdin: "ignore", stdout: "ignore", stderr: "inherit" }).exited;
	if (code !== 0) throw new Error(`The build ended with code ${code}`);
	return join(root, "dist/gantry");
}

const docker = Bun.which("docker");
if (docker === null) throw new Error("The benchmark needs the official docker client on the PATH");
const options = parseBenchOptions(process.argv.slice(2), {
	docker,
	gantry: await buildGantry(),
	podman: Bun.which("podman"),
	podmanStorage: join(tmpdir(), `${PREFIX}-podman`),
});
const figures = await runAll(options);
const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
console.log(`${new Date().toISOString().slice(0, 10)}, ${machine}; medians of ${options.rounds} rounds\n`);
console.log(markdownTable(figures, options.sides));
if (options.jsonPath !== undefined)
	writeFileSync(
		options.jsonPath,
		`${JSON.stringify({ date: new Date().toISOString(), machine, figures }, null, "\t")}\n`,
	);
