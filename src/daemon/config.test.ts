import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorMessage } from "../base/errors.ts";
import { type DaemonConfig, readInvocation } from "./config.ts";

const directory = mkdtempSync(join(tmpdir(), "gantry-config-"));
afterAll(() => rmSync(directory, { recursive: true }));

function write(content: unknown): string {
	const path = join(directory, "daemon.json");
	writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
	return path;
}

/** With a file, for tests must not read the machine's own. */
function read(file: unknown, flags: readonly string[] = [], environment: Record<string, string> = {}): DaemonConfig {
	const invocation = readInvocation([`--config-file=${write(file)}`, ...flags], environment);
	if (invocation.kind !== "run") throw new Error(`not a run: ${invocation.kind}`);
	return invocation.config;
}

function failure(work: () => unknown): string {
	try {
		work();
	} catch (error) {
		return errorMessage(error).replaceAll(directory, "DIR");
	}
	return "no failure";
}

const IN_FILE = "unable to configure the Gantry daemon with file DIR/daemon.json: ";

describe("readInvocation()", () => {
	test("has defaults for everything", () => {
		const config = read({});
		expect([
			config.hosts,
			config.dataRoot,
			config.execRoot,
			config.bridge.name,
			config.containers.shmSizeBytes,
		]).toEqual([["unix:///var/run/gantry.sock"], "/var/lib/gantry", "/run/gantry", "gantry0", 67_108_864]);
	});

	test("reads what is said of networks", () => {
		const ranges = { bip6: "fd00::1/64", "fixed-cidr-v6": "fd00::100/120", "default-gateway-v6": "fd00::2" };
		const options = { bridge: { "com.docker.network.driver.mtu": "1400" } };
		const config = read({ ipv6: true, ...ranges, "default-network-opts": options }, ["--allow-direct-routing"]).bridge;
		expect([config.v6, config.directRouting, config.networkOptions]).toEqual([
			{ address: "fd00::1/64", range: "fd00::100/120", nextHop: "fd00::2" },
			true,
			options,
		]);
		expect(read(ranges).bridge.v6).toBeUndefined();
		expect(
			read({}, ["--default-network-opt=bridge=a=b", "--default-network-opt=bridge=c=d=e"]).bridge.networkOptions,
		).toEqual({ bridge: { a: "b", c: "d=e" } });
		expect(failure(() => read({}, ["--default-network-opt=bridge=a"]))).toBe(
			'invalid argument "bridge=a" for "--default-network-opt" flag: invalid value "bridge=a" for map option, should be root-key=key=value',
		);
		expect(failure(() => read({ "fixed-cidr-v6": "10.0.0.0/8" }))).toBe(
			`${IN_FILE}invalid fixed-cidr-v6: '10.0.0.0/8' is not a valid IPv6 subnet`,
		);
	});

	test("reads flags in every spelling", () => {
		const config = read({}, [
			"-D",
			"-H",
			"unix:///a.sock",
			"-Htcp://1.2.3.4:5",
			"--host=/b.sock",
			"-l=warn",
			"--icc=false",
			"--label",
			"a=b",
		]);
		expect([config.hosts, config.logLevel, config.bridge.interContainer, config.labels]).toEqual([
			["unix:///a.sock", "tcp://1.2.3.4:5", "unix:///b.sock"],
			"debug",
			false,
			["a=b"],
		]);
	});

	test("reads every kind of value from flags as from the file", () => {
		const fromFlags = read({}, [
			"--default-ulimit=nofile=10:20",
			"--default-address-pool=base=10.0.0.0/8,size=24",
			"--add-runtime=mine=/opt/mine",
			"--log-opt=max-size=1m",
			"--default-shm-size=1g",
			"--dns=1.1.1.1",
			"--mtu=1400",
		]);
		const fromFile = read({
			"default-ulimits": { nofile: { Name: "nofile", Soft: 10, Hard: 20 } },
			"default-address-pools": [{ base: "10.0.0.0/8", size: 24 }],
			runtimes: { mine: { path: "/opt/mine" } },
			"log-opts": { "max-size": "1m" },
			"default-shm-size": 1_073_741_824,
			dns: ["1.1.1.1"],
			mtu: 1400,
		});
		expect(fromFlags).toEqual(fromFile);
		expect(fromFile.containers.ulimits).toEqual({ nofile: { Name: "nofile", Soft: 10, Hard: 20 } });
		expect(fromFile.runtimes).toEqual({ mine: { path: "/opt/mine", runtimeArgs: [] } });
	});

	test("joins runtimes of flags and file", () => {
		const config = read({ runtimes: { a: { path: "/a", runtimeArgs: ["-x"] } } }, ["--add-runtime=b=/b"]);
		expect(Object.keys(config.runtimes)).toEqual(["a", "b"]);
	});

	test("takes the minimum API version from the environment", () => {
		expect(read({}, [], { DOCKER_MIN_API_VERSION: "1.40" }).minApiVersion.minor).toBe(40);
		expect(read({ "min-api-version": "1.30" }, [], { DOCKER_MIN_API_VERSION: "1.40" }).minApiVersion.minor).toBe(30);
	});

	test("tells help, version and validation from a run", () => {
		expect(readInvocation(["--help"], {}).kind).toBe("help");
		expect(readInvocation(["-v"], {}).kind).toBe("version");
		expect(readInvocation(["--validate", `--config-file=${write({})}`], {}).kind).toBe("validate");
	});

	const fileFailures: [string, unknown, string[], string][] = [
		[
			"an unknown key",
			{ debug: true, foo: 1, bar: 2 },
			[],
			"the following directives don't match any configuration option: foo, bar",
		],
		[
			"a key that is a flag, too",
			{ debug: false, mtu: 1 },
			["-D"],
			"the following directives are specified both as a flag and in the configuration file: debug: (from flag: true, from file: false)",
		],
		[
			"a list given twice",
			{ hosts: ["unix:///a"] },
			["-H", "unix:///b"],
			"the following directives are specified both as a flag and in the configuration file: hosts: (from flag: [unix:///b], from file: [unix:///a])",
		],
		["a wrong type", { debug: "yes" }, [], "debug: must be a boolean"],
		[
			"a key given twice",
			'{"labels": ["debug: \\"x\\"", "debug"], "log-opts": {"debug": "1"}, "debug" : true, "deb\\u0075g": false}',
			[],
			'the key "debug" is given twice',
		],
		["no object", "[]", [], "the configuration must be a JSON object"],
		["what is not there", { "userns-remap": "default" }, [], 'option "userns-remap" is not available yet'],
		["a reserved runtime", { runtimes: { runc: { path: "/x" } } }, [], "runtime name 'runc' is reserved"],
	];
	for (const [name, file, flags, message] of fileFailures)
		test(`refuses a file with ${name}`, () => expect(failure(() => read(file, flags))).toBe(IN_FILE + message));

	test("takes what is not there when it is switched off", () => {
		expect(() => read({ "userns-remap": "", "selinux-enabled": false, "live-restore": true })).not.toThrow();
		expect(failure(() => read({ "live-restore": false }))).toContain("containers always live on");
	});

	const flagFailures: [string[], string][] = [
		[["--nosuch"], "unknown flag: --nosuch"],
		[["-X"], "unknown shorthand flag: 'X' in -X"],
		[["--mtu"], "flag needs an argument: --mtu"],
		[["--mtu=x"], 'invalid argument "x" for "--mtu" flag: strconv.ParseInt: parsing "x": invalid syntax'],
		[["--debug=x"], 'invalid argument "x" for "--debug" flag: strconv.ParseBool: parsing "x": invalid syntax'],
		[["word"], '"gantryd" accepts no arguments, but "word" was given'],
		[
			["--config-file=/nonexistent/x.json"],
			"unable to configure the Gantry daemon with file /nonexistent/x.json: ENOENT: no such file or directory, open '/nonexistent/x.json'",
		],
	];
	for (const [argv, message] of flagFailures)
		test(`refuses ${argv.join(" ")}`, () => expect(failure(() => readInvocation(argv, {}))).toBe(message));

	test("names the option that fails, whatever it is", () => {
		for (const [flag, words] of [
			["--log-level=loud", "unable to parse logging level: loud"],
			["--storage-driver=zfs", 'storage driver "zfs" is not available'],
			["--host=ftp://x", "invalid bind address (ftp://x)"],
			["--label=a", "bad attribute format: a"],
			["--min-api-version=1.20", "minimum API version 1.20"],
			["--bip=abc", "invalid CIDR address for bip: abc"],
			["--dns=abc", 'invalid value "abc" for dns'],
			["--bridge=much-too-long-a-name", "invalid bridge name"],
			["--exec-opt=native.cgroupdriver=systemd", 'exec option "native.cgroupdriver=systemd" is not available'],
		] as const)
			expect(failure(() => read({}, [flag]))).toContain(words);
	});
});
