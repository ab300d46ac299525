import { describe, expect, test } from "bun:test";
import { nearest } from "../base/nearest-word.ts";
import type { OptionSpec } from "./command.ts";
import { parseOptions } from "./option-parser.ts";

const SPECS: OptionSpec[] = [
	{ name: "interactive", short: "i", kind: "bool", help: "" },
	{ name: "tty", short: "t", kind: "bool", help: "" },
	{ name: "env", short: "e", kind: "list", help: "" },
	{ name: "name", short: "n", kind: "string", help: "", default: "x" },
	{ name: "sig-proxy", kind: "bool", help: "", default: "true" },
	{
		name: "memory",
		short: "m",
		kind: "string",
		help: "",
		check: () => {
			throw new Error("invalid size: 'foo'");
		},
	},
];

describe("parseOptions()", () => {
	const lines: [string[], { env?: string[]; name?: string; on?: string[]; args: string[] }][] = [
		[["-it", "image"], { on: ["interactive", "tty", "sig-proxy"], args: ["image"] }],
		[["-e", "A=b", "-eC=d", "--env=E=f", "--env", "G"], { env: ["A=b", "C=d", "E=f", "G"], args: [] }],
		[["-ite", "A", "-n=y"], { on: ["interactive", "tty", "sig-proxy"], env: ["A"], name: "y", args: [] }],
		[["--name=a", "--name", "b"], { name: "b", args: [] }],
		[["--sig-proxy=false", "-t=true"], { on: ["tty"], args: [] }],
		[["image", "-t", "--", "-i"], { on: ["tty", "sig-proxy"], args: ["image", "-i"] }],
		[["-", "x"], { args: ["-", "x"] }],
		[["--name", "--"], { name: "--", args: [] }],
	];
	for (const [argv, want] of lines)
		test(`reads ${argv.join(" ")}`, () => {
			const { options, args } = parseOptions(argv, SPECS, true);
			const on = ["interactive", "tty", "sig-proxy"].filter((name) => options.bool(name));
			expect({ env: options.list("env"), name: options.text("name"), on, args }).toEqual({
				env: want.env ?? [],
				name: want.name ?? "x",
				on: want.on ?? ["sig-proxy"],
				args: want.args,
			});
		});

	test("leaves everything after the first argument alone when options do not go among arguments", () => {
		const { options, args, firstArgument } = parseOptions(["-t", "image", "-i", "--", "x"], SPECS, false);
		expect({ isInteractive: options.bool("interactive"), args, firstArgument }).toEqual({
			isInteractive: false,
			args: ["image", "-i", "--", "x"],
			firstArgument: 1,
		});
	});

	const mistakes: [string[], string][] = [
		[["--foo"], "unknown flag: --foo"],
		[["--nmae"], "unknown flag: --nmae (did you mean --name?)"],
		[["-tz"], "unknown shorthand flag: 'z' in -z"],
		[["--name"], "flag needs an argument: --name"],
		[["-e"], "flag needs an argument: 'e' in -e"],
		[["--tty=x"], 'invalid argument "x" for "-t, --tty" flag: strconv.ParseBool: parsing "x": invalid syntax'],
		[["-m", "foo"], `invalid argument "foo" for "-m, --memory" flag: invalid size: 'foo'`],
		[["---x"], "bad flag syntax: ---x"],
	];
	for (const [argv, message] of mistakes)
		test(`refuses ${argv.join(" ")} with docker's message and exit code 125`, () => {
			expect(() => parseOptions(argv, SPECS, true)).toThrow(expect.objectContaining({ message, exitCode: 125 }));
		});
});

test("nearest() finds what was meant and nothing else", () => {
	const words = ["run", "rm", "images", "inspect", "restart"];
	expect(["rnu", "imags", "inspetc", "frobnicate"].map((word) => nearest(word, words))).toEqual([
		"run",
		"images",
		"inspect",
		undefined,
	]);
});
