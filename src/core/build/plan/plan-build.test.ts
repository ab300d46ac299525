import { describe, expect, test } from "bun:test";
import { sha256 } from "../../../base/digest.ts";
import { GlobalArguments } from "../../dockerfile/build-arguments.ts";
import { parseDockerfile } from "../../dockerfile/index.ts";
import type { BaseImage, BuildPlan } from "./build-plan.ts";
import { neededStages } from "./needed-stages.ts";
import { planBuild } from "./plan-build.ts";
import { type GraphInput, targetStage } from "./stage-graph.ts";

const PLATFORM = { os: "linux", architecture: "amd64" };

interface Options {
	readonly target?: string;
	readonly args?: Readonly<Record<string, string>>;
	readonly image?: Readonly<Record<string, unknown>>;
}

function plan(lines: readonly string[], { target = "", args = {}, image = {} }: Options = {}): BuildPlan {
	const dockerfile = parseDockerfile(lines.join("\n"));
	const base: BaseImage = {
		reference: "base",
		id: sha256("base"),
		config: { architecture: "amd64", os: "linux", config: { ...image }, rootfs: { type: "layers", diff_ids: [] } },
		chainId: sha256("layer"),
		repoDigest: undefined,
	};
	const globals = GlobalArguments.of(dockerfile, {
		buildArgs: new Map(Object.entries(args)),
		buildPlatform: PLATFORM,
		targetPlatform: PLATFORM,
	});
	const input: GraphInput = { dockerfile, globals, target, targetPlatform: PLATFORM, namedContexts: new Map() };
	const index = targetStage(input);
	return planBuild(
		input,
		index,
		neededStages(input, index, () => base),
		() => base,
	);
}

/** The last stage's steps. */
function stepsOf(lines: readonly string[], options?: Options) {
	const { stages, targets } = plan(lines, options);
	return stages.get(targets[0] ?? -1)?.steps ?? [];
}

describe("planBuild()", () => {
	test("has only what the target needs", () => {
		const lines = ["FROM base AS a", "FROM base AS b", "COPY --from=a / /", "FROM base AS c", "FROM b"];
		expect([...plan(lines).stages.keys()]).toEqual([0, 1, 3]);
		expect([...plan(lines, { target: "C" }).stages.keys()]).toEqual([2]);
		expect([...(plan(lines, { target: "1" }).stages.get(1)?.needs ?? [])]).toEqual([0]);
	});

	test("gives commands the environment of their place", () => {
		const lines = [
			"ARG G=global",
			"FROM base",
			"ARG G",
			"ARG L=local",
			"ENV E=$L-$G",
			"RUN one",
			"ENV L=env",
			"RUN two",
		];
		const [, , , one, , two] = stepsOf(lines, { args: { L: "given" }, image: { Env: ["PATH=/p", "B=1"] } });
		const environment = (step: typeof one) => (step?.action.kind === "run" ? step.action.environment : []);
		expect(environment(one)).toEqual(["PATH=/p", "B=1", "G=global", "L=given", "E=given-global"]);
		expect(environment(two)).toContain("L=env");
		expect(one?.createdBy).toBe("RUN |2 G=global L=given /bin/sh -c one # buildkit");
	});

	test.each([
		["RUN echo $A ${UNSET} \"$A\" '$A' $(ls) $$", "RUN echo value ${UNSET} \"value\" '$A' $(ls) $$"],
		["RUN echo it's $A", "RUN echo it's $A"],
		["COPY $A* /$A/", "COPY value* /value/"],
		["ENV A=other B=$A", "ENV A=other B=value"],
	])("shows %j as %j", (line, title) => {
		const step = stepsOf(["FROM base", "ENV A=value", line]).at(-1);
		expect([step?.instruction, step?.title]).toEqual([line, title]);
	});

	test("follows the configuration, and fires the triggers of the base", () => {
		const image = { Cmd: ["old"], OnBuild: ["RUN triggered", "WORKDIR made"], WorkingDir: "/base", Labels: { a: "1" } };
		const steps = stepsOf(["FROM base", 'ENTRYPOINT ["e"]', "LABEL b=2", 'SHELL ["/bin/bash", "-c"]', "CMD run"], {
			image,
		});
		expect(steps.slice(0, 2).map(({ instruction, range }) => [instruction, range])).toEqual([
			["RUN triggered", undefined],
			["WORKDIR made", undefined],
		]);
		const { Entrypoint, Cmd, WorkingDir, Labels, OnBuild } = steps.at(-1)?.config ?? {};
		expect({ Entrypoint, Cmd, WorkingDir, Labels, OnBuild }).toEqual({
			Entrypoint: ["e"],
			Cmd: ["/bin/bash", "-c", "run"],
			WorkingDir: "/base/made",
			Labels: { a: "1", b: "2" },
			OnBuild: undefined,
		});
	});

	test.each([
		["a script of the shell", ["RUN <<EOF", "a", "b", "EOF"], ["/bin/sh", "-c", "a\nb\n"], undefined],
		["a program", ["RUN <<EOF", "#!/bin/x", "EOF"], ["/dev/pipes/EOF"], "#!/bin/x\n"],
		[
			"the input of a command",
			["RUN cat <<E > /x", "text", "E"],
			["/bin/sh", "-c", "cat <<E > /x\ntext\nE"],
			undefined,
		],
	])("makes of a heredoc %s", (_name, lines, args, script) => {
		const [step] = stepsOf(["FROM base", ...lines]);
		const action = step?.action.kind === "run" ? step.action : undefined;
		expect([action?.arguments, action?.script?.text]).toEqual([args, script]);
	});

	test.each([
		["COPY a .", "/w/"],
		["COPY a b", "/w/b"],
		["COPY a b/", "/w/b/"],
		["COPY a /", "/"],
		["COPY a ..", "/"],
	])("%s goes to %s", (line, destination) => {
		const copy = stepsOf(["FROM base", "WORKDIR /w", line]).at(-1)?.action;
		expect(copy?.kind === "copy" ? copy.destination : undefined).toBe(destination);
	});

	test.each([
		[["FROM base AS a", "COPY --from=a / /"], "circular dependency"],
		[["FROM base AS a", "COPY --from=b / /", "FROM a AS b"], "comes after"],
		[["FROM base", "COPY --from=3 / /"], "no earlier stage of that index"],
		[["FROM base", "EXPOSE 99999"], "invalid containerPort"],
	])("refuses %j", (lines, message) => expect(() => plan(lines)).toThrow(message));

	test("names arguments that nothing asks for", () => {
		const args = { A: "1", HTTP_PROXY: "x", TARGETARCH: "y", OTHER: "2" };
		expect(plan(["FROM base", "ARG A"], { args }).unusedBuildArgs).toEqual(["OTHER"]);
	});
});
