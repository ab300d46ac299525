/** What is built: each scenario gives the seconds of one build by one builder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BASE_IMAGE, type Builder, type BuilderKind } from "./builder-process.ts";

export interface BuildScenario {
	readonly name: string;
	/** Part of the rounds that slow scenarios are content with; 1 by default. */
	readonly roundsFactor?: number;
	/** Builders that cannot do it at all. */
	readonly without?: readonly BuilderKind[];
	/** Makes the build context. */
	prepare(): BuildPlace;
	/** Before the first round. */
	warmUp?(builder: Builder, directory: string): Promise<void>;
	measure(builder: Builder, directory: string): Promise<number>;
}

export interface BuildPlace extends AsyncDisposable {
	readonly directory: string;
}

const MANY_FILES = 5000;
const VERY_MANY_FILES = 20_000;
const FILES_IN_DIRECTORY = 100;

const TEN_STEPS = [
	`FROM ${BASE_IMAGE}`,
	"ENV NAME=value",
	"WORKDIR /work",
	"COPY input .",
	"RUN echo one > one",
	"RUN echo two > two",
	"RUN cat input one two > all",
	"RUN mkdir -p a/b/c && cp all a/b/c",
	"RUN rm one two",
	'CMD ["cat", "all"]',
];

/** Two stages that sleep, and one that needs both. */
const TWO_STAGES = [
	`FROM ${BASE_IMAGE} AS first`,
	"RUN sleep 5 && echo first > /out",
	`FROM ${BASE_IMAGE} AS second`,
	"RUN sleep 5 && echo second > /out",
	`FROM ${BASE_IMAGE}`,
	"COPY --from=first /out /first",
	"COPY --from=second /out /second",
];

function place(dockerfile: readonly string[], fill: (directory: string) => void = () => {}): BuildPlace {
	const directory = mkdtempSync(join(tmpdir(), "gantry-bench-context-"));
	writeFileSync(join(directory, "Dockerfile"), `${dockerfile.join("\n")}\n`);
	fill(directory);
	return {
		directory,
		[Symbol.asyncDispose]: async () => rmSync(directory, { recursive: true, force: true }),
	};
}

/** No benchmark before this one has built the same: a daemon would remember it. */
let generation = Date.now() % 1_000_000_000;

/** New contents each time, so that every builder has all of it to take in. */
function writeFiles(directory: string, count: number): void {
	generation++;
	for (let index = 0; index < count; index++) {
		const folder = join(directory, "files", `d${Math.floor(index / FILES_IN_DIRECTORY)}`);
		if (index % FILES_IN_DIRECTORY === 0) mkdirSync(folder, { recursive: true });
		writeFileSync(join(folder, `f${index}`), `${generation} ${index}\n`.repeat(50));
	}
}

export const BUILD_SCENARIOS: readonly BuildScenario[] = [
	{
		name: "ten steps, no cache",
		prepare: () => place(TEN_STEPS, (directory) => writeFileSync(join(directory, "input"), "input\n")),
		measure: (builder, directory) => builder.build(directory, "--no-cache"),
	},
	{
		name: "ten steps, all cached",
		prepare: () => place(TEN_STEPS, (directory) => writeFileSync(join(directory, "input"), "input\n")),
		warmUp: async (builder, directory) => {
			await builder.build(directory);
		},
		measure: (builder, directory) => builder.build(directory),
	},
	{
		name: "COPY of 5,000 new files",
		roundsFactor: 0.5,
		prepare: () => place([`FROM ${BASE_IMAGE}`, "COPY files /files"]),
		measure: (builder, directory) => {
			writeFiles(directory, MANY_FILES);
			return builder.build(directory);
		},
	},
	{
		name: "two stages of 5 s each",
		roundsFactor: 0.1,
		prepare: () => place(TWO_STAGES),
		measure: (builder, directory) => builder.build(directory, "--no-cache"),
	},
	{
		name: "no change, context of 20,000 files",
		prepare: () =>
			place([`FROM ${BASE_IMAGE}`, "COPY files /files"], (directory) => writeFiles(directory, VERY_MANY_FILES)),
		warmUp: async (builder, directory) => {
			await builder.build(directory);
		},
		measure: (builder, directory) => builder.build(directory),
	},
];
