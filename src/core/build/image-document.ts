/** The configuration document of an image as it stands after some steps of a stage. */
import type { HistoryEntry, ImageConfig, Platform } from "../../api/oci/image.ts";
import type { Digest } from "../../base/digest.ts";
import { timestamp } from "../image/timestamp.ts";
import type { StepResult } from "./cache-record.ts";
import type { PlannedStep } from "./plan/build-plan.ts";
import { HISTORY_COMMENT } from "./plan/history-text.ts";

export interface FinishedStep {
	readonly step: PlannedStep;
	readonly result: StepResult;
	/** Its cache record. */
	readonly record: string;
}

export interface ImageDocumentInput {
	readonly platform: Platform;
	/** History and time of the image it stands on. */
	readonly base: ImageConfig | undefined;
	/** Steps of all stages since. */
	readonly steps: readonly FinishedStep[];
	/** Before the first step. */
	readonly config: Record<string, unknown>;
	readonly labels: ReadonlyMap<string, string>;
	/** Of all layers, lowest first. */
	readonly diffIds: readonly Digest[];
	/** Seconds; in place of every newer time. */
	readonly sourceDateEpoch: number | undefined;
}

export function imageDocument(input: ImageDocumentInput): ImageConfig {
	const { platform, base, steps, diffIds, sourceDateEpoch } = input;
	const limit = sourceDateEpoch === undefined ? Number.POSITIVE_INFINITY : sourceDateEpoch * 1000;
	const time = (ms: number) => timestamp(Math.min(ms, limit));
	const last = steps.at(-1);
	const author = last?.step.author || base?.author || "";
	const history: HistoryEntry[] = steps
		.filter(({ step }) => step.createdBy !== "")
		.map(({ step, result }) => ({
			created: time(result.createdAt),
			created_by: step.createdBy,
			comment: HISTORY_COMMENT,
			...(result.isEmpty ? { empty_layer: true } : {}),
		}));
	const created = last === undefined ? base?.created : time(Math.max(...steps.map(({ result }) => result.createdAt)));
	const config = { ...(last?.step.config ?? input.config) } as Record<string, unknown>;
	if (input.labels.size > 0)
		config["Labels"] = { ...(config["Labels"] as object | null), ...Object.fromEntries(input.labels) };
	return {
		architecture: platform.architecture,
		...((platform.variant ?? "") === "" ? {} : { variant: platform.variant ?? "" }),
		os: platform.os,
		...(created === undefined ? {} : { created }),
		...(author === "" ? {} : { author }),
		config: withoutEmpty(config),
		rootfs: { type: "layers", diff_ids: [...diffIds] },
		history: [...(base?.history ?? []), ...history],
	};
}

/** As BuildKit leaves empty values out. In a fixed order, so that the same image always has the same bytes. */
function withoutEmpty(config: Record<string, unknown>): Record<string, unknown> {
	return Object.fromEntries(
		Object.entries(config)
			.filter(([, value]) => !isEmpty(value))
			.sort(([a], [b]) => (a < b ? -1 : 1)),
	);
}

function isEmpty(value: unknown): boolean {
	if (value === null || value === undefined || value === "") return true;
	return typeof value === "object" && Object.keys(value).length === 0;
}
