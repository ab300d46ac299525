/** `bun run bench:builds`: builds of the same Dockerfiles by several builders, whole client processes, in turns. See docs/benchmark.md. */
import { writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { InvalidParameterError } from "../src/base/errors.ts";
import { BUSYBOX_CHANGES, makeBusyboxTar } from "../tools/base-images/busybox.ts";
import { BUILD_SCENARIOS, type BuildScenario } from "./build-scenarios.ts";
import { Builder, type BuilderKind } from "./builder-process.ts";
import { median } from "./table.ts";

const USAGE = `bun run bench:builds --gantry unix://SOCKET [--docker unix://SOCKET] [--buildx PLUGIN] [--buildah PROGRAM]
    [--gantry-program PATH] [--rounds N] [--only NAME[,NAME…]] [--json FILE]
--buildx is measured against both daemons.`;

interface Options {
	readonly builders: readonly Builder[];
	readonly rounds: number;
	readonly only: readonly string[];
	readonly jsonPath: string | undefined;
}

/** @throws InvalidParameterError */
function parseOptions(argv: readonly string[]): Options {
	const values = new Map<string, string>();
	for (let index = 0; index < argv.length; index += 2) {
		const [name = "", value] = [argv[index], argv[index + 1]];
		if (value === undefined || !USAGE.includes(`${name} `)) throw new InvalidParameterError(USAGE);
		values.set(name, value);
	}
	const gantry = values.get("--gantry");
	const docker = values.get("--docker");
	if (gantry === undefined) throw new InvalidParameterError(USAGE);
	const dockerClient = Bun.which("docker");
	const program = values.get("--gantry-program") ?? join(import.meta.dir, "../dist/gantry");
	const builders: Builder[] = [];
	const add = (kind: BuilderKind, name: string, path: string | null, host: string | undefined) => {
		if (path !== null && (host !== undefined || kind === "buildah"))
			builders.push(new Builder({ kind, name, program: path, host: host ?? "" }));
	};
	add("classic", "Docker, classic", dockerClient, docker);
	add("classic", "Gantry, classic", dockerClient, gantry);
	add("buildx", "docker buildx", values.get("--buildx") ?? null, docker);
	add("buildx", "buildx on Gantry", values.get("--buildx") ?? null, gantry);
	add("buildah", "buildah", values.get("--buildah") ?? null, undefined);
	add("gantry", "gantry build", program, gantry);
	return {
		builders,
		rounds: Number(values.get("--rounds") ?? 7),
		only: values.get("--only")?.split(",") ?? [],
		jsonPath: values.get("--json"),
	};
}

type Figures = Record<string, number[]>;

async function runScenario(scenario: BuildScenario, builders: readonly Builder[], rounds: number): Promise<Figures> {
	const values: Figures = {};
	const failed = new Set<Builder>();
	await using place = scenario.prepare();
	const takePart = builders.filter(({ kind }) => scenario.without?.includes(kind) !== true);
	const attempt = async (builder: Builder, action: () => Promise<void>) => {
		try {
			await action();
		} catch (error) {
			failed.add(builder);
			process.stderr.write(`  ${scenario.name}: ${error instanceof Error ? error.message : error}\n`);
		}
	};
	for (const builder of takePart) await attempt(builder, () => scenario.warmUp?.(builder, place.directory) ?? noWork());
	const count = Math.max(1, Math.round(rounds * (scenario.roundsFactor ?? 1)));
	for (let round = 0; round < count; round++)
		for (let index = 0; index < takePart.length; index++) {
			const builder = takePart[(index + round) % takePart.length];
			if (builder === undefined || failed.has(builder)) continue;
			await attempt(builder, async () => {
				const seconds = await scenario.measure(builder, place.directory);
				values[builder.name] ??= [];
				values[builder.name]?.push(seconds);
			});
		}
	return values;
}

async function noWork(): Promise<void> {}

/** Which columns are divided by which: ours by what does the same with the same client, or without one. */
const RATIOS: readonly (readonly [string, string])[] = [
	["Gantry, classic", "Docker, classic"],
	["buildx on Gantry", "docker buildx"],
	["gantry build", "docker buildx"],
	["gantry build", "buildah"],
];

function table(figures: ReadonlyMap<string, Figures>, builders: readonly Builder[]): string {
	const names = builders.map(({ name }) => name);
	const ratios = RATIOS.filter((pair) => pair.every((name) => names.includes(name)));
	const head = ["", ...names, ...ratios.map(([ours, theirs]) => `${ours} ÷ ${theirs}`)];
	const rows = [...figures].map(([scenario, values]) => [
		scenario,
		...names.map((name) => seconds(values[name])),
		...ratios.map(([ours, theirs]) => ratio(values[ours], values[theirs])),
	]);
	return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function seconds(values: readonly number[] | undefined): string {
	return values === undefined ? "–" : median(values).toFixed(3);
}

function ratio(ours: readonly number[] | undefined, theirs: readonly number[] | undefined): string {
	return ours === undefined || theirs === undefined ? "–" : (median(ours) / median(theirs)).toFixed(2);
}

const { builders, rounds, only, jsonPath } = parseOptions(process.argv.slice(2));
for (const builder of builders) await builder.importBusybox(makeBusyboxTar(), BUSYBOX_CHANGES);
const figures = new Map<string, Figures>();
for (const scenario of BUILD_SCENARIOS) {
	if (only.length > 0 && !only.some((part) => scenario.name.includes(part))) continue;
	const values = await runScenario(scenario, builders, rounds);
	figures.set(scenario.name, values);
	process.stderr.write(
		`${scenario.name}: ${builders.map(({ name }) => `${name} ${seconds(values[name])}`).join(", ")}\n`,
	);
}
for (const builder of builders) await builder.cleanUp();
const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
console.log(`${new Date().toISOString().slice(0, 10)}, ${machine}; seconds, medians of ${rounds} rounds\n`);
console.log(table(figures, builders));
if (jsonPath !== undefined) writeFileSync(jsonPath, JSON.stringify(Object.fromEntries(figures), null, "\t"));
