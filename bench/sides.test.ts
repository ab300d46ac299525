import { expect, test } from "bun:test";
import { parseBenchOptions } from "./sides.ts";

const CLIENTS = { docker: "/d", gantry: "/g" };

test("parseBenchOptions() makes two sides of Gantry and one of each peer", () => {
	const argv = [
		"--gantry",
		"unix:///g.sock",
		"--peer",
		"28=unix:///d.sock,netns=/run/netns/x",
		"--rounds",
		"3",
		"--only",
		"run,ps",
	];
	expect(parseBenchOptions(argv, CLIENTS)).toEqual({
		sides: [
			{ name: "Gantry", host: "unix:///g.sock", client: "/d", kind: "gantry", repeatsEngine: false },
			{ name: "Gantry, own client", host: "unix:///g.sock", client: "/g", kind: "gantry", repeatsEngine: true },
			{
				name: "28",
				host: "unix:///d.sock",
				client: "/d",
				kind: "peer",
				repeatsEngine: false,
				networkNamespace: "/run/netns/x",
			},
		],
		rounds: 3,
		only: ["run", "ps"],
	});
});

for (const argv of [[], ["--peer", "x"], ["--gantry"], ["--gantry", "tcp://x"], ["--rounds", "0"], ["--what", "1"]])
	test(`parseBenchOptions() refuses ${JSON.stringify(argv)}`, () => {
		expect(() => parseBenchOptions(argv, CLIENTS)).toThrow();
	});
