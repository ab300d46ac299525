import type { WireEvent } from "../../../core/build/session/build-call.ts";
import { BuildState } from "./build-state.ts";
import type { ProgressView } from "./progress-view.ts";

/** BuildKit's SolveStatus, a line of JSON for each batch of events. */
export class RawJsonView implements ProgressView {
	readonly state = new BuildState();

	constructor(private readonly write: (text: string) => void) {}

	show(events: readonly WireEvent[]): void {
		for (const event of events) this.state.apply(event);
		this.write(`${JSON.stringify(solveStatus(events))}\n`);
	}

	tick(): void {}

	finish(): void {}
}

/** Keys, and times in RFC 3339, as BuildKit's client has them. */
export function solveStatus(events: readonly WireEvent[]): Record<string, unknown> {
	const status: Record<string, unknown[]> = {};
	const add = (key: string, value: unknown) => {
		status[key] ??= [];
		status[key].push(value);
	};
	for (const event of events)
		switch (event.kind) {
			case "vertex": {
				const { digest, inputs, name, started, completed, cached, error } = event.vertex;
				add("vertexes", {
					digest,
					...(inputs.length === 0 ? {} : { inputs }),
					name,
					...times({ started, completed }),
					...(cached === true ? { cached } : {}),
					...(error === undefined ? {} : { error }),
				});
				break;
			}
			case "status": {
				const { id, vertex, name, current, total, started, completed } = event.status;
				add("statuses", {
					id,
					vertex,
					name: name === id ? "" : name,
					total,
					current,
					timestamp: time(completed ?? started ?? 0),
					...times({ started, completed }),
				});
				break;
			}
			case "log": {
				const { vertex, stream, data, timestamp } = event.log;
				add("logs", { vertex, stream, data, timestamp: time(timestamp) });
				break;
			}
			case "warning": {
				const { vertex, level, short, detail, url, ranges } = event.warning;
				add("warnings", {
					vertex,
					level,
					short: Buffer.from(short).toString("base64"),
					detail: detail.map((line) => Buffer.from(line).toString("base64")),
					...(url === undefined ? {} : { url }),
					...(ranges === undefined
						? {}
						: { range: ranges.map(({ start, end }) => ({ start: { line: start }, end: { line: end } })) }),
				});
			}
		}
	return status;
}

function times(values: { started?: number | undefined; completed?: number | undefined }): Record<string, string> {
	return Object.fromEntries(
		Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, time(value)]])),
	);
}

function time(ms: number): string {
	return new Date(ms).toISOString();
}
