/** A build told in vertices, as BuildKit tells it. */
import type { ProgressMessage } from "../../api/engine/image.ts";
import type { Platform } from "../../api/oci/image.ts";
import type { Clock } from "../../base/clock.ts";
import { type Digest, sha256 } from "../../base/digest.ts";
import { errorKind, errorMessage } from "../../base/errors.ts";
import type { PlannedStage, PlannedStep } from "../../core/build/plan/build-plan.ts";
import { layoutName } from "../../core/build/plan/stage-graph.ts";
import type { ProgressSink, VertexStatus } from "../../core/build/progress.ts";
import { formatPlatform } from "../../core/image/platform.ts";
import { formatReference, parseAnyReference, withDefaultTag } from "../../core/image/reference.ts";
import type { BuildNarrator } from "./stage-builds.ts";

/** One vertex, told anew at each change. */
export class Vertex {
	#status: VertexStatus;

	constructor(
		private readonly progress: ProgressSink,
		private readonly clock: Clock,
		name: string,
		key: string,
		inputs: readonly Digest[] = [],
	) {
		this.#status = { digest: sha256(key), name, inputs };
	}

	get digest(): Digest {
		return this.#status.digest;
	}

	start(): this {
		return this.#change({ started: this.clock.now() });
	}

	cached(): this {
		return this.#change({ cached: true });
	}

	end(error?: unknown): this {
		const completed = this.clock.now();
		const started = this.#status.started ?? completed;
		if (error === undefined) return this.#change({ started, completed });
		const text = errorKind(error) === "cancelled" ? "context canceled" : errorMessage(error);
		return this.#change({ started, completed, error: text });
	}

	status(id: string, current: number, total: number, isDone = false): void {
		const now = this.clock.now();
		this.progress.emit({
			kind: "status",
			status: {
				id,
				vertex: this.digest,
				name: id,
				current,
				total,
				started: this.#status.started ?? now,
				...(isDone ? { completed: now } : {}),
			},
		});
	}

	async log(stream: 1 | 2, data: Uint8Array): Promise<void> {
		await this.progress.ready();
		this.progress.emit({ kind: "log", log: { vertex: this.digest, stream, data, timestamp: this.clock.now() } });
	}

	/** Runs work as this vertex. */
	async around<T>(work: (vertex: Vertex) => Promise<T>): Promise<T> {
		this.start();
		try {
			const result = await work(this);
			this.end();
			return result;
		} catch (error) {
			this.end(error);
			throw error;
		}
	}

	#change(change: Partial<VertexStatus>): this {
		this.#status = { ...this.#status, ...change };
		this.progress.emit({ kind: "vertex", vertex: this.#status });
		return this;
	}
}

/** Tells stages and steps of one build. */
export class VertexNarrator implements BuildNarrator {
	/** By the stage's ID. */
	readonly #last = new Map<number, Digest>();

	constructor(
		private readonly progress: ProgressSink,
		private readonly clock: Clock,
		/** Unlike those of any other build. */
		private readonly buildKey: string,
		private readonly options: { readonly stageCount: number; readonly showPlatform: boolean },
	) {}

	vertex(name: string, inputs: readonly Digest[] = []): Vertex {
		return new Vertex(this.progress, this.clock, name, `${this.buildKey} ${name}`, inputs);
	}

	/** Work for a platform of its own, where there are several. */
	internal(what: string, platform: Platform): Vertex {
		return this.vertex(`[${this.options.showPlatform ? `${formatPlatform(platform)} ` : ""}internal] ${what}`);
	}

	stageStarted(stage: PlannedStage): void {
		if (stage.from.kind !== "image") return;
		const { reference, repoDigest } = stage.from.image;
		const at = repoDigest?.indexOf("@") ?? -1;
		const digest = at < 0 ? "" : (repoDigest?.slice(at) ?? "");
		// Of stages that begin alike it is one vertex.
		const vertex = this.vertex(`${this.#prefix(stage, 1)} FROM ${fullReference(reference)}${digest}`);
		if (![...this.#last.values()].includes(vertex.digest)) vertex.start().cached().end();
		this.#last.set(stage.id, vertex.digest);
	}

	stepStarted(stage: PlannedStage, step: PlannedStep) {
		// What changes the configuration alone is not shown.
		if (step.action.kind === "config") return {};
		const number = 1 + countedBase(stage) + stage.steps.filter(({ action }) => action.kind !== "config").indexOf(step);
		const before = this.#last.get(stage.id);
		const inputs = before === undefined ? [] : [before];
		const name = `${this.#prefix(stage, number, step.buildsFor)} ${step.title}`;
		const vertex = new Vertex(this.progress, this.clock, name, `${this.buildKey} ${stage.id} ${name}`, inputs);
		this.#last.set(stage.id, vertex.digest);
		vertex.start();
		return {
			cached: () => void vertex.cached(),
			output: ({ stream, data }: { stream: 1 | 2; data: Uint8Array }) => vertex.log(stream, data),
			ended: () => void vertex.end(),
			failed: (error: unknown) => void vertex.end(error),
		};
	}

	#prefix(stage: PlannedStage, number: number, buildsFor?: Platform): string {
		const total = countedBase(stage) + stage.steps.filter(({ action }) => action.kind !== "config").length;
		const name = stage.name !== "" ? stage.name : this.options.stageCount > 1 ? `stage-${stage.index}` : "";
		const platform = this.options.showPlatform ? `${formatPlatform(stage.platform)}${arrow(stage, buildsFor)}` : "";
		const width = String(total).length;
		const words = [platform, name, `${String(number).padStart(width)}/${total}`].filter((word) => word !== "");
		return `[${words.join(" ")}]`;
	}
}

/** `docker.io/library/busybox:latest`; IDs, layouts and directories of caches stay as they are. */
export function fullReference(reference: string): string {
	if (layoutName(reference) !== undefined || reference.startsWith("/")) return reference;
	try {
		const parsed = parseAnyReference(reference);
		if (parsed.kind === "digest") return reference;
		// The digest follows, where there is one.
		return formatReference({ ...withDefaultTag(parsed.named), digest: undefined });
	} catch (error) {
		// Whoever looks it up says what is wrong with it.
		if (errorKind(error) === "invalid-parameter") return reference;
		throw error;
	}
}

/** `->arm64`: what a stage that runs on another platform builds for. */
function arrow({ platform: { os } }: PlannedStage, target: Platform | undefined): string {
	if (target === undefined) return "";
	return `->${formatPlatform(target).slice(target.os === os ? os.length + 1 : 0)}`;
}

/** An image is a step of the stage; another stage, or nothing, is none. */
function countedBase({ from }: PlannedStage): number {
	return from.kind === "image" ? 1 : 0;
}

/** Bars of a pull as statuses of a vertex. */
export function reportPull(vertex: Vertex, message: ProgressMessage): void {
	const { id, status, progressDetail } = message;
	if (id === undefined || status === undefined || !/^[0-9a-f]{12}$/.test(id)) return;
	const { current = 0, total = 0 } = (progressDetail ?? {}) as { current?: number; total?: number };
	const verb = status === "Downloading" ? "downloading" : status === "Extracting" ? "extracting" : undefined;
	if (verb !== undefined) vertex.status(`${verb} ${id}`, current, total);
	else if (status === "Pull complete") vertex.status(`extracting ${id}`, total, total, true);
}
