import { expect, test } from "bun:test";
import type { Clock } from "../base/clock.ts";
import { MemoryTrim } from "./memory-trim.ts";

test.each([
	[true, ["collect", "collect", "shrink", "collect"]],
	[false, ["collect", "collect", "shrink"]],
])(
	"MemoryTrim collects, shrinks and, if that was needed (%p), collects again, after the last request's quiet",
	(isLarge, want) => {
		const timers = new Set<() => void>();
		const clock: Clock = {
			now: () => 0,
			after(_delayMs, action) {
				timers.add(action);
				return { cancel: () => timers.delete(action) };
			},
		};
		const steps: string[] = [];
		const trim = new MemoryTrim(clock, {
			collect: () => steps.push("collect"),
			shrink: () => {
				steps.push("shrink");
				return isLarge;
			},
		});
		trim.touch();
		trim.touch();
		expect(timers.size).toBe(1);
		const fireAll = () => {
			const due = [...timers];
			timers.clear();
			for (const fire of due) fire();
		};
		for (let round = 0; round < 6; round++) fireAll();
		expect(steps).toEqual(want);
		trim.touch();
		trim[Symbol.dispose]();
		expect(timers.size).toBe(0);
	},
);
