import { expect, test } from "bun:test";
import { clientArguments, parseBenchOptions } from "./sides.ts";

const CLIENTS = { docker: "/d", gantry: "/g", podman: "/p", podmanStorage: "/s" };

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

for (const argv of [
	[],
	["--peer", "x"],
	["--gantry"],
	["--gantry", "tcp://x"],
	["--peer", "x=podman:here"],
	["--rounds", "0"],
	["--what", "1"],
])
	test(`parseBenchOptions() refuses ${JSON.stringify(argv)}`, () => {
		expect(() => parseBenchOptions(argv, CLIENTS)).toThrow();
	});

test("a podman is driven by itself, with storage of its own", () => {
	const { sides } = parseBenchOptions(["--peer", "podman=podman:", "--peer", "other=podman:/srv/p"], CLIENTS);
	expect(sides.map(({ name, client, storage }) => [name, client, storage])).toEqual([
		["podman", "/p", "/s"],
		["other", "/p", "/srv/p"],
	]);
	const place = ["--root", "/s/storage", "--runroot", "/s/run", "--tmpdir", "/s/tmp"];
	const [podman] = sides;
	if (podman === undefined) throw new Error("no side");
	expect(clientArguments(podman, ["pull", "x"])).toEqual([...place, "pull", "--tls-verify=false", "x"]);
	expect(clientArguments(podman, ["load", "-i", "f"])).toEqual([...place, "load", "-i", "f"]);
	expect(() => parseBenchOptions(["--peer", "x=podman:"], { ...CLIENTS, podman: null })).toThrow("podman");
});
