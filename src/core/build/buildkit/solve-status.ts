/** A build's events in BuildKit's words. */
import { STATUS_RESPONSE } from "../../../api/buildkit/control.ts";
import type { MessageOf } from "../../../api/buildkit/message.ts";
import { timestamp } from "../../../api/buildkit/values.ts";
import type { BuildEvent, VertexLog, VertexStatus, VertexWarning } from "../progress.ts";

/** The Dockerfile, for whoever shows its lines. */
export interface SourceText {
	readonly filename: string;
	readonly data: Uint8Array;
}

type StatusResponse = MessageOf<typeof STATUS_RESPONSE>;

export function encodeStatus(events: readonly BuildEvent[], source: SourceText | undefined): Uint8Array {
	const of = <K extends BuildEvent["kind"]>(kind: K) =>
		events.filter((event): event is Extract<BuildEvent, { kind: K }> => event.kind === kind);
	return STATUS_RESPONSE.encode({
		vertexes: of("vertex").map(({ vertex }) => vertexMessage(vertex)),
		statuses: of("status").map(({ status }) => ({
			id: status.id,
			vertex: status.vertex,
			name: status.name,
			current: status.current,
			total: status.total,
			timestamp: timestamp(status.completed ?? status.started ?? 0),
			...times(status),
		})),
		logs: of("log").map(({ log }) => logMessage(log)),
		warnings: of("warning").map(({ warning }) => warningMessage(warning, source)),
	});
}

function vertexMessage({
	digest,
	inputs,
	name,
	cached,
	error,
	group,
	...rest
}: VertexStatus): StatusResponse["vertexes"][0] {
	return {
		digest,
		inputs,
		name,
		cached: cached ?? false,
		error: error ?? "",
		...(group === undefined ? {} : { progressGroup: { id: group, name: group, weak: false } }),
		...times(rest),
	};
}

function times({ started, completed }: { readonly started?: number; readonly completed?: number }) {
	return {
		...(started === undefined ? {} : { started: timestamp(started) }),
		...(completed === undefined ? {} : { completed: timestamp(completed) }),
	};
}

function logMessage({ vertex, stream, data, timestamp: at }: VertexLog): StatusResponse["logs"][0] {
	return { vertex, stream, msg: data, timestamp: timestamp(at) };
}

function warningMessage(
	{ vertex, level, short, detail, url = "", ranges = [] }: VertexWarning,
	source: SourceText | undefined,
): StatusResponse["warnings"][0] {
	const [line] = ranges;
	return {
		vertex,
		level,
		short: Buffer.from(line === undefined ? short : `${short} (line ${line.start})`),
		detail: detail.map((line) => Buffer.from(line)),
		url,
		...(source === undefined ? {} : { info: { ...source, language: "Dockerfile" } }),
		ranges: ranges.map(({ start, end }) => ({
			start: { line: start, character: 0 },
			end: { line: end, character: 0 },
		})),
	};
}
