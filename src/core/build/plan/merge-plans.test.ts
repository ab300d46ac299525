import { expect, test } from "bun:test";
import type { Platform } from "../../../api/oci/image.ts";
import { GlobalArguments } from "../../dockerfile/build-arguments.ts";
import { parseDockerfile } from "../../dockerfile/index.ts";
import { formatPlatform, parsePlatform } from "../../image/platform.ts";
import type { BuildPlan } from "./build-plan.ts";
import { mergePlans, planOfTarget } from "./merge-plans.ts";
import { neededStages } from "./needed-stages.ts";
import { planBuild } from "./plan-build.ts";
import { type GraphInput, targetStage } from "./stage-graph.ts";

const PLATFORMS = ["linux/amd64", "linux/arm64"].map(parsePlatform);

function planFor(lines: readonly string[], targetPlatform: Platform): BuildPlan {
	const dockerfile = parseDockerfile(lines.join("\n"));
	const buildPlatform = parsePlatform("linux/amd64");
	const globals = GlobalArguments.of(dockerfile, { buildArgs: new Map(), buildPlatform, targetPlatform });
	const input: GraphInput = { dockerfile, globals, target: "", targetPlatform, namedContexts: new Map() };
	const none = () => undefined;
	return planBuild(input, targetStage(input), neededStages(input, targetStage(input), none), none);
}

const merged = (lines: readonly string[]) => mergePlans(PLATFORMS.map((platform) => planFor(lines, platform)));

/** `0 name linux/amd64 <- needs`, and the steps as letters, the same one for the same object. */
function shown({ stages, targets }: BuildPlan): string[] {
	const letters = new Map<object, string>();
	const letter = (step: object) => {
		const found = letters.get(step) ?? String.fromCharCode(97 + letters.size);
		letters.set(step, found);
		return found;
	};
	const lines = [...stages.values()].map(({ id, name, platform, needs, steps }) =>
		[id, name || "-", formatPlatform(platform), `<${[...needs]}>`, steps.map(letter).join("")].join(" "),
	);
	return [...lines, `targets ${targets}`];
}

test("a stage that is the same for all is there once, and read by its new ID", () => {
	const plan = merged([
		"FROM --platform=$BUILDPLATFORM scratch AS tool",
		"COPY a /",
		"FROM scratch AS files",
		"COPY --from=tool /a /",
		"FROM files",
		"COPY --from=tool /a /b",
	]);
	expect(shown(plan)).toEqual([
		"0 tool linux/amd64 <> a",
		"1 files linux/amd64 <0> b",
		"2 - linux/amd64 <1,0> c",
		"3 files linux/arm64 <0> d",
		"4 - linux/arm64 <3,0> e",
		"targets 2,4",
	]);
	const { from, steps } = plan.stages.get(4) ?? {};
	expect([from, steps?.[0]?.action.kind === "copy" && steps[0].action.source]).toEqual([
		{ kind: "stage", id: 3 },
		{ kind: "stage", id: 0 },
	]);
	expect([...planOfTarget(plan, 4).stages.keys()]).toEqual([0, 3, 4]);
});

test("stages that differ from some step on have the steps before it in common", () => {
	const plan = merged([
		"FROM --platform=$BUILDPLATFORM scratch",
		"COPY a /",
		"WORKDIR /w",
		"ARG TARGETARCH",
		"COPY $TARGETARCH /",
		"COPY z /",
	]);
	expect(shown(plan)).toEqual(["0 - linux/amd64 <> abcde", "1 - linux/amd64 <> abfgh", "targets 0,1"]);
	const builtFor = [...plan.stages.values()].map(({ steps }) => steps.map(({ buildsFor }) => buildsFor?.architecture));
	const none = undefined;
	expect(builtFor).toEqual([
		[none, none, none, none, none],
		[none, none, "arm64", "arm64", "arm64"],
	]);
});

test("what is the same for all platforms is one target, asked for twice", () => {
	const plan = merged(["FROM --platform=linux/s390x scratch", "COPY a /"]);
	expect(shown(plan)).toEqual(["0 - linux/s390x <> a", "targets 0,0"]);
});

test("one platform's plan stays as it is", () => {
	const plan = planFor(["FROM scratch AS a", "FROM scratch AS b", "FROM b"], parsePlatform("linux/arm64"));
	expect(mergePlans([plan])).toBe(plan);
	expect([...plan.stages.keys()]).toEqual([1, 2]);
});
