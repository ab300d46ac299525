import { expect, test } from "bun:test";
import { humanDuration } from "./human-duration.ts";

test("humanDuration() words lengths of time as docker's tables do", () => {
	const second = 1000;
	const hour = 3600 * second;
	const day = 24 * hour;
	const cases: [number, string][] = [
		[0, "Less than a second"],
		[999, "Less than a second"],
		[1 * second, "1 second"],
		[59 * second, "59 seconds"],
		[60 * second, "About a minute"],
		[119 * second, "About a minute"],
		[120 * second, "2 minutes"],
		[59 * 60 * second, "59 minutes"],
		[hour, "About an hour"],
		[89 * 60 * second, "About an hour"],
		[90 * 60 * second, "2 hours"],
		[47 * hour, "47 hours"],
		[48 * hour, "2 days"],
		[13 * day, "13 days"],
		[14 * day, "2 weeks"],
		[60 * day, "2 months"],
		[729 * day, "24 months"],
		[730 * day, "2 years"],
	];
	for (const [durationMs, want] of cases) expect([durationMs, humanDuration(durationMs)]).toEqual([durationMs, want]);
});
