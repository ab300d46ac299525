import type { EventMessage } from "../../api/engine/event.ts";
import { Filters } from "../../client/filters.ts";
import { daemonEvents } from "../../client/system.ts";
import type { Command } from "../command.ts";
import { Template } from "../formatter/template.ts";
import { FILTER_OPTION, FORMAT_OPTION } from "../list-options.ts";
import { parseTimestamp } from "../timestamp.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry events -f type=container -f event=die", "gantry events --since 1h --until 0s"],
	options: [
		FILTER_OPTION,
		{ ...FORMAT_OPTION, help: "json, or a Go template such as {{.Action}}" },
		{ name: "since", kind: "string", help: "Begin with what happened since then (2024-05-01T12:00:00Z, or 42m)" },
		{ name: "until", kind: "string", help: "End there" },
	],
	maxArguments: 0,
	async run(context, options) {
		const now = Date.now();
		const time = (name: string) =>
			options.text(name) === "" ? undefined : parseTimestamp(options.text(name), now, name);
		const format = options.text("format");
		const template = format === "" || format === "json" ? undefined : new Template(format);
		const events = daemonEvents(await context.client(), {
			since: time("since"),
			until: time("until"),
			filters: Filters.parse(options.list("filter")),
		});
		for await (const event of events) {
			const text = template?.execute({ ...event, timeNano: Number(event.timeNano) });
			await context.stdout.writeThrough(`${text ?? (format === "json" ? eventJson(event) : describeEvent(event))}\n`);
		}
		return 0;
	},
};

/** The nanoseconds are written out in full. */
function eventJson(event: EventMessage): string {
	return JSON.stringify({ ...event, timeNano: "@" }).replace('"timeNano":"@"', `"timeNano":${event.timeNano}`);
}

function describeEvent({ time, timeNano, Type, Action, Actor }: EventMessage): string {
	const stamp = timeNano === 0n ? localStamp(BigInt(time) * 1_000_000_000n) : localStamp(timeNano);
	const attributes = Object.entries(Actor.Attributes ?? {})
		.map(([name, value]) => `${name}=${value}`)
		.sort();
	return `${stamp} ${Type} ${Action} ${Actor.ID}${attributes.length === 0 ? "" : ` (${attributes.join(", ")})`}`;
}

/** RFC 3339 with nine decimals, in the local time zone. */
function localStamp(nanoseconds: bigint): string {
	const date = new Date(Number(nanoseconds / 1_000_000n));
	const offset = -date.getTimezoneOffset();
	const two = (value: number) => String(value).padStart(2, "0");
	const shifted = new Date(date.getTime() + offset * 60_000).toISOString().slice(0, 19);
	const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, "0");
	const magnitude = Math.abs(offset);
	const zone =
		offset === 0 ? "Z" : `${offset < 0 ? "-" : "+"}${two(Math.trunc(magnitude / 60))}:${two(magnitude % 60)}`;
	return `${shifted}.${fraction}${zone}`;
}
