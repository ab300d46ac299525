/** What `--call targets` and `--call outline` answer: which stages can be built, and what a build of one can be given. */
import { type BuildArgumentOptions, type DeclaredArg, GlobalArguments } from "./build-arguments.ts";
import { descriptionOf } from "./parser/parse-instruction.ts";
import type { SourceRange } from "./source-range.ts";
import { findTarget, type WalkedStage, walkStages } from "./stage-walk.ts";
import type { CacheSharing, Dockerfile, Mount, Stage } from "./syntax.ts";

export interface Target {
	/** "" without AS. */
	readonly name: string;
	/** From the comment before it; "" without. */
	readonly description: string;
	/** Built when nothing is asked for: the last one. */
	readonly isDefault: boolean;
	/** As written. */
	readonly base: string;
	readonly platform: string;
	readonly range: SourceRange;
}

export interface Outline {
	readonly name: string;
	readonly description: string;
	readonly args: readonly OutlineArg[];
	readonly secrets: readonly OutlineSecret[];
	readonly ssh: readonly OutlineSecret[];
	readonly caches: readonly OutlineCache[];
}

export interface OutlineArg {
	readonly name: string;
	readonly description: string;
	/** What it would be; "" when nothing gives it a value. */
	readonly value: string;
	readonly range: SourceRange;
}

export interface OutlineSecret {
	readonly id: string;
	readonly required: boolean;
	readonly range: SourceRange;
}

export interface OutlineCache {
	readonly id: string;
	readonly target: string;
	readonly sharing: CacheSharing;
	readonly range: SourceRange;
}

export function listTargets({ stages }: Dockerfile): Target[] {
	return stages.map(({ index, name, from }) => ({
		name,
		description: descriptionOf(name, from.comments),
		isDefault: index === stages.length - 1,
		base: from.base,
		platform: from.platform ?? "",
		range: from.range,
	}));
}

/** What is known of one stage. The first entry of a name counts. */
interface StageOutline {
	readonly stage: Stage;
	readonly args: Map<string, OutlineArg>;
	readonly secrets: Map<string, OutlineSecret>;
	readonly ssh: Map<string, OutlineSecret>;
	readonly caches: Map<string, OutlineCache>;
}

/**
 * Of the target and every stage it needs, each list in the order of the file.
 * @throws DockerfileError when there is no such target, or a build would fail before anything runs
 */
export function outline(dockerfile: Dockerfile, options: BuildArgumentOptions & { readonly target?: string }): Outline {
	const target = findTarget(dockerfile, options.target ?? "");
	const globals = GlobalArguments.of(dockerfile, { ...options, targetStage: target.name });
	const stages = new Map<number, StageOutline>();
	const of = ({ stage }: WalkedStage): StageOutline => {
		const known = stages.get(stage.index) ?? {
			stage,
			args: new Map(),
			secrets: new Map(),
			ssh: new Map(),
			caches: new Map(),
		};
		stages.set(stage.index, known);
		return known;
	};
	const walked = walkStages(
		{ dockerfile, globals, baseImage: () => undefined, target: options.target ?? "" },
		{
			step: ({ walked, instruction, args, mounts }) => {
				const known = of(walked);
				for (const arg of args) addArg(known, arg, globals);
				for (const mount of mounts) addMount(known, mount, instruction.range);
			},
		},
	);
	for (const stage of walked.values()) addGlobals(of(stage), stage.from.matched, globals);
	// The target's own come first: of two with one name, they are meant.
	const ordered = [...stages.values()].sort((a, b) => b.stage.index - a.stage.index);
	const all = <Entry extends { readonly range: SourceRange }>(
		entries: (known: StageOutline) => ReadonlyMap<string, Entry>,
	): Entry[] => {
		const merged = new Map<string, Entry>();
		for (const known of ordered)
			for (const [name, entry] of entries(known)) if (!merged.has(name)) merged.set(name, entry);
		return [...merged.values()].sort((a, b) => a.range.start.line - b.range.start.line);
	};
	return {
		name: target.name,
		description: descriptionOf(target.name, target.from.comments),
		args: all(({ args }) => args),
		secrets: all(({ secrets }) => secrets),
		ssh: all(({ ssh }) => ssh),
		caches: all(({ caches }) => caches),
	};
}

/** An ARG that only takes over a global one is that one. */
function addArg(known: StageOutline, arg: DeclaredArg, globals: GlobalArguments): void {
	if (arg.inherited) addGlobals(known, [arg.name], globals);
	else known.args.set(arg.name, outlineArg(arg));
}

/** Global ARGs and those that their defaults are made of. */
function addGlobals({ args }: StageOutline, names: Iterable<string>, globals: GlobalArguments): void {
	const add = (name: string) => {
		const declared = globals.declared.get(name);
		if (declared === undefined || args.has(name)) return;
		args.set(name, outlineArg(declared));
		for (const dependency of declared.dependencies) add(dependency);
	};
	for (const name of names) add(name);
}

function outlineArg({ name, description, value = "", range }: DeclaredArg): OutlineArg {
	return { name, description, value, range };
}

function addMount(known: StageOutline, mount: Mount, range: SourceRange): void {
	const { type, required, target = "" } = mount;
	if (type === "secret") {
		const id = secretId(mount);
		if (!known.secrets.has(id)) known.secrets.set(id, { id, required, range });
	} else if (type === "ssh") {
		const id = mount.id ?? "default";
		if (!known.ssh.has(id)) known.ssh.set(id, { id, required, range });
	} else if (type === "cache") {
		const id = mount.id ?? target;
		if (!known.caches.has(id)) known.caches.set(id, { id, target, sharing: mount.sharing ?? "shared", range });
	}
}

/** The id, or the source, or the last name of the target. */
export function secretId({ id, source, target = "" }: Mount): string {
	return source ?? id ?? target.slice(target.lastIndexOf("/") + 1);
}
