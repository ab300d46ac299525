import { expect, test } from "bun:test";
import type { RestartPolicy } from "../../api/engine/container.ts";
import { nextRestart, restartsWithDaemon } from "./restart-policy.ts";

const ended = { exitCode: 1, restartCount: 0, ranForMs: 50, stoppedByUser: false, previousDelayMs: 0 };

test("the back-off doubles from 100 ms to a minute and starts anew after a long run", () => {
	const delays: number[] = [];
	let previousDelayMs = 0;
	for (let run = 0; run < 12; run++) {
		previousDelayMs = nextRestart({ ...ended, policy: { Name: "always" }, previousDelayMs })?.delayMs ?? -1;
		delays.push(previousDelayMs);
	}
	expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
	expect(nextRestart({ ...ended, policy: { Name: "always" }, ranForMs: 10_000, previousDelayMs })).toEqual({
		delayMs: 100,
	});
});

test("each policy restarts what it should", () => {
	const cases: [RestartPolicy, Partial<typeof ended>, boolean][] = [
		[{}, {}, false],
		[{ Name: "no" }, {}, false],
		[{ Name: "always" }, { exitCode: 0 }, true],
		[{ Name: "always" }, { stoppedByUser: true }, false],
		[{ Name: "unless-stopped" }, { exitCode: 0 }, true],
		[{ Name: "on-failure" }, { exitCode: 0 }, false],
		[{ Name: "on-failure" }, { restartCount: 1000 }, true],
		[{ Name: "on-failure", MaximumRetryCount: 2 }, { restartCount: 1 }, true],
		[{ Name: "on-failure", MaximumRetryCount: 2 }, { restartCount: 2 }, false],
	];
	for (const [policy, changes, want] of cases)
		expect([policy, changes, nextRestart({ ...ended, ...changes, policy }) !== undefined]).toEqual([
			policy,
			changes,
			want,
		]);
});

test("when the daemon starts, always starts even what was stopped by hand", () => {
	const last = { exitCode: 137, restartCount: 0, stoppedByUser: true };
	const names = ["no", "always", "unless-stopped", "on-failure"] as const;
	expect(names.map((Name) => restartsWithDaemon({ Name }, last))).toEqual([false, true, false, false]);
	expect(names.map((Name) => restartsWithDaemon({ Name }, { ...last, stoppedByUser: false }))).toEqual([
		false,
		true,
		true,
		true,
	]);
});
