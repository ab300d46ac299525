import { expect, test } from "bun:test";
import type { EventMessage } from "../../api/engine/event.ts";
import { checkEventFilters, matchesEvent } from "./event-filter.ts";

const START: EventMessage = {
	Type: "container",
	Action: "start",
	Actor: { ID: "abcdef", Attributes: { image: "busybox:latest", name: "web", tier: "front" } },
	scope: "local",
	time: 1,
	timeNano: 1n,
};
const EXEC: EventMessage = { ...START, Action: "exec_create: sh -c true" };
const PULL: EventMessage = {
	...START,
	Type: "image",
	Action: "pull",
	Actor: { ID: "busybox:latest", Attributes: { name: "busybox" } },
};

const CASES: [string, EventMessage, Record<string, string[]>, boolean][] = [
	["no filter lets everything through", START, {}, true],
	["an action matches as a whole", START, { event: ["star"] }, false],
	["one of several actions is enough", START, { event: ["die", "start"] }, true],
	["exec_create matches whatever the command is", EXEC, { event: ["exec_create"] }, true],
	["every key has to match", START, { event: ["start"], type: ["image"] }, false],
	["a container matches by name", START, { container: ["web"] }, true],
	["a container matches by the beginning of its ID", START, { container: ["abc"] }, true],
	["a container's filter keeps images' events out", PULL, { container: ["busybox"] }, false],
	["an image matches without its tag", PULL, { image: ["busybox"] }, true],
	["an image's filter lets its containers' events through", START, { image: ["busybox"] }, true],
	["another image does not match", START, { image: ["alpine"] }, false],
	["a label matches by key", START, { label: ["tier"] }, true],
	["a label matches by value", START, { label: ["tier=front"] }, true],
	["all labels have to match", START, { label: ["tier=front", "nosuch"] }, false],
	["swarm's events are none of these", START, { scope: ["swarm"] }, false],
];

test.each(CASES)("%s", (_name, message, filters, expected) => {
	expect(matchesEvent(new Map(Object.entries(filters)), message)).toBe(expected);
});

test("an unknown key is an error that names it", () => {
	expect(() => checkEventFilters(new Map([["nosuch", ["x"]]]))).toThrow("invalid filter 'nosuch'");
});
