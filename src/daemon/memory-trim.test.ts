import { expect, test } from "bun:test";
import type { Clock } from "../base/clock.ts";
import { MemoryTrim } from "./memory-trim.ts";

test("MemoryTrim collects twice, after the last request's quiet", () => {
	const timers = new Set<() => void>();
	const clock: Clock = {
		now: () => 0,
		after(_delayMs, action) {
			timers.add(action);
			return { cancel: () => timers.delete(action) };
		},
	};
	let collections = 0;
	const trim = new MemoryTrim(clock, () => collections++);
	trim.touch();
	trim.touch();
	expect(timers.size).toBe(1);
	const fireAll = () => {
		const due = [...timers];
		timers.clear();
		for (const fire of due) fire();
	};
	fireAll();
	fireAll();
	fireAll();
	expect(collections).toBe(2);
	trim.touch();
	trim[Symbol.dispose]();
	expect(timers.size).toBe(0);
});
