import { describe, expect, test } from "bun:test";
import { parseOptions } from "../option-parser.ts";
import { BUILD_OPTIONS } from "./build-options.ts";
import { type OptionRequest, optionRequest } from "./build-request.ts";
import { contextArgument, isArchive, namedContextArgument } from "./context-source.ts";
import { parseOutput, parseOutputs } from "./output-options.ts";
import { parseSecret, parseSsh } from "./secret-options.ts";

const ENVIRONMENT = { FROM_ENV: "of the environment", TOKEN: "t" };

function request(argv: readonly string[], surroundings: { proxies?: Record<string, string>; epoch?: string } = {}) {
	const { options } = parseOptions(argv, BUILD_OPTIONS, true);
	const environment =
		surroundings.epoch === undefined ? ENVIRONMENT : { ...ENVIRONMENT, SOURCE_DATE_EPOCH: surroundings.epoch };
	const outputs = parseOutputs(options.list("output"), { push: options.bool("push"), load: options.bool("load") });
	return optionRequest(options, { environment, proxies: surroundings.proxies ?? {}, outputs });
}

const NOTHING: OptionRequest = {
	target: "",
	buildArgs: {},
	labels: {},
	tags: [],
	platforms: [],
	noCache: [],
	pull: false,
	cacheFrom: [],
	cacheTo: [],
	network: "default",
	extraHosts: [],
	limits: {},
	outputs: [{ type: "image", attributes: {} }],
	annotations: [],
	attestations: {},
	squash: false,
	allow: [],
	sourceDateEpoch: null,
};

describe("optionRequest()", () => {
	const cases: [string, Partial<OptionRequest>][] = [
		["", {}],
		["-t a:1 -t localhost:5000/b", { tags: ["a:1", "localhost:5000/b"] }],
		["--target test --pull --squash", { target: "test", pull: true, squash: true }],
		[
			"--build-arg A=1 --build-arg B= --build-arg FROM_ENV --build-arg NOBODY",
			{
				buildArgs: { A: "1", B: "", FROM_ENV: "of the environment" },
			},
		],
		["--label a=b=c --label empty", { labels: { a: "b=c", empty: "" } }],
		[
			"--platform linux/amd64,linux/arm64/v8 --platform linux/riscv64",
			{
				platforms: [
					{ os: "linux", architecture: "amd64" },
					{ os: "linux", architecture: "arm64", variant: "v8" },
					{ os: "linux", architecture: "riscv64" },
				],
			},
		],
		["--no-cache", { noCache: "all" }],
		["--no-cache-filter a,b --no-cache-filter c", { noCache: ["a", "b", "c"] }],
		[
			"--cache-from user/app:cache --cache-from type=local,src=/a/../dir",
			{
				cacheFrom: [
					{ type: "registry", attributes: { ref: "user/app:cache" } },
					{ type: "local", attributes: { src: "/dir" } },
				],
			},
		],
		[
			"--cache-to type=inline --cache-to type=registry,ref=r,mode=max",
			{
				cacheTo: [
					{ type: "inline", attributes: {} },
					{ type: "registry", attributes: { ref: "r", mode: "max" } },
				],
			},
		],
		["--network none --add-host a:1.2.3.4 --add-host b=::1", { network: "none", extraHosts: ["a:1.2.3.4", "b:::1"] }],
		[
			"-m 1g --memory-swap -1 -c 512 --cpu-period 100000 --cpu-quota 5000 --cpuset-cpus 0-1 --cpuset-mems 0",
			{
				limits: {
					memoryBytes: 1024 ** 3,
					memorySwapBytes: -1,
					cpuShares: 512,
					cpuPeriod: 100_000,
					cpuQuota: 5000,
					cpusetCpus: "0-1",
					cpusetMems: "0",
				},
			},
		],
		[
			"--shm-size 64m --ulimit nofile=1024:2048 --cgroup-parent /x",
			{
				limits: {
					shmSizeBytes: 64 * 1024 ** 2,
					ulimits: [{ Name: "nofile", Soft: 1024, Hard: 2048 }],
					cgroupParent: "/x",
				},
			},
		],
		[
			"--annotation a=b --annotation index,manifest-descriptor:c=d --annotation org.x:y=z",
			{
				annotations: [
					{ level: "manifest", key: "a", value: "b" },
					{ level: "index", key: "c", value: "d" },
					{ level: "manifest-descriptor", key: "c", value: "d" },
					{ level: "manifest", key: "org.x:y", value: "z" },
				],
			},
		],
		["--provenance true", { attestations: { provenance: { mode: "min" } } }],
		[
			"--attest type=provenance,mode=max --sbom generator=me/scan",
			{
				attestations: { provenance: { mode: "max" }, sbom: { generator: "me/scan" } },
			},
		],
		["--attest type=sbom --sbom false --provenance=false", {}],
		["--allow network.host,security.insecure", { allow: ["network.host", "security.insecure"] }],
		["--push", { outputs: [{ type: "image", attributes: { push: "true" } }] }],
		["--load", {}],
		["-o out", { outputs: [{ type: "local", attributes: {} }] }],
		["-o type=cacheonly", { outputs: [] }],
		["--rm --force-rm --compress --isolation default --builder x --disable-content-trust", {}],
	];
	for (const [line, expected] of cases)
		test(`of "${line}"`, () => {
			expect(request(line.split(" ").filter(Boolean))).toEqual({ ...NOTHING, ...expected });
		});

	for (const [line, message] of [
		["-t UPPER", 'invalid argument "UPPER" for "-t, --tag" flag'],
		["--platform a/b/c/d", 'invalid argument "a/b/c/d" for "--platform" flag'],
		["--cache-from type=gha", "caches of type gha are not supported"],
		["--cache-to type=local", "local cache exporter requires dest"],
		["--memory lots", 'invalid argument "lots" for "-m, --memory" flag: invalid size'],
		["--cpu-quota x", 'invalid argument "x" for "--cpu-quota" flag'],
		["--ulimit x=1", "invalid ulimit type: x"],
		["--add-host nothing", 'bad format for add-host: "nothing"'],
		["--annotation nothing", 'invalid annotation "nothing"'],
		["--annotation manifest[linux/amd64]:a=b", "annotations of one platform are not supported"],
		["--attest type=other", "unknown attestation type: other"],
		["--provenance mode=some", "invalid provenance mode: some"],
		["--sbom maybe", 'invalid value "maybe" of --sbom'],
		["--isolation hyperv", "isolation hyperv is not supported"],
		["--security-opt seccomp=unconfined", "--security-opt is not supported"],
		["--build-arg SOURCE_DATE_EPOCH=soon", "invalid SOURCE_DATE_EPOCH: soon"],
		["-o type=oci,dest=- -o type=tar", "only one output can go to standard output"],
	] as const)
		test(`refuses "${line}"`, () => expect(() => request(line.split(" "))).toThrow(message));

	test("hands the proxies of config.json on, and the time of the environment", () => {
		const { buildArgs, sourceDateEpoch } = request(["--build-arg", "http_proxy=mine"], {
			proxies: { httpProxy: "http://p:1", noProxy: "local" },
			epoch: "1700000000",
		});
		expect(buildArgs).toEqual({
			http_proxy: "mine",
			HTTP_PROXY: "http://p:1",
			NO_PROXY: "local",
			no_proxy: "local",
			SOURCE_DATE_EPOCH: "1700000000",
		});
		expect(sourceDateEpoch).toBe(1_700_000_000);
	});
});

describe("parseOutput()", () => {
	for (const [text, type, destination] of [
		["out", "local", { kind: "directory", path: "out" }],
		["-", "tar", { kind: "stdout" }],
		["type=local,dest=a", "local", { kind: "directory", path: "a" }],
		["type=tar,dest=a.tar", "tar", { kind: "file", path: "a.tar" }],
		["type=tar", "tar", { kind: "stdout" }],
		["type=oci,dest=-", "oci", { kind: "stdout" }],
		["type=oci,dest=d,tar=false", "oci", { kind: "directory", path: "d" }],
		["type=docker,dest=a.tar", "docker", { kind: "file", path: "a.tar" }],
		["type=docker", "image", undefined],
		["type=image,name=a", "image", undefined],
		["type=registry", "image", undefined],
		['"type=local","dest=a,b"', "local", { kind: "directory", path: "a,b" }],
	] as const)
		test(`reads ${text}`, () => {
			const parsed = parseOutput(text);
			expect([parsed?.output.type, parsed?.destination as unknown]).toEqual([type, destination]);
		});

	for (const [text, message] of [
		["type=local", "dest is required for local exporter"],
		["dest=x", "type is required for output"],
		["type=zip,dest=x", "invalid output type 'zip'"],
		["type=local,dest", "invalid field 'dest'"],
	] as const)
		test(`refuses ${text}`, () => expect(() => parseOutput(text)).toThrow(message));
});

describe("parseSecret()", () => {
	for (const [text, expected] of [
		["id=a,src=dir/f", { id: "a", kind: "file", name: "dir/f" }],
		["id=a,source=f", { id: "a", kind: "file", name: "f" }],
		["src=dir/f", { id: "f", kind: "file", name: "dir/f" }],
		["id=a,env=TOKEN", { id: "a", kind: "env", name: "TOKEN" }],
		["type=env,id=TOKEN", { id: "TOKEN", kind: "env", name: "TOKEN" }],
		["type=env,id=a,src=TOKEN", { id: "a", kind: "env", name: "TOKEN" }],
		["type=file,id=a,src=f", { id: "a", kind: "file", name: "f" }],
		["id=TOKEN", { id: "TOKEN", kind: "env", name: "TOKEN" }],
		["id=nobody", { id: "nobody", kind: "file", name: "nobody" }],
		["env=TOKEN", { id: "TOKEN", kind: "env", name: "TOKEN" }],
	] as const)
		test(`reads ${text}`, () => expect(parseSecret(text, ENVIRONMENT)).toEqual(expected));

	for (const [text, message] of [
		["id=a,mode=1", "unexpected key 'mode' in 'mode=1'"],
		["type=vault,id=a", 'unsupported secret type "vault"'],
		["type=file", "secret needs an id"],
	] as const)
		test(`refuses ${text}`, () => expect(() => parseSecret(text, ENVIRONMENT)).toThrow(message));
});

test("parseSsh() reads agents and keys", () => {
	expect(["default", "x=/run/agent", "k=a,b", ""].map(parseSsh)).toEqual([
		{ id: "default", paths: [] },
		{ id: "x", paths: ["/run/agent"] },
		{ id: "k", paths: ["a", "b"] },
		{ id: "default", paths: [] },
	]);
});

describe("contextArgument()", () => {
	for (const [text, kind] of [
		[".", "directory"],
		["-", "stdin"],
		["/a/b.git", "directory"],
		["git@host:a/b", "git"],
		["git@host:a/b.git#main:dir", "git"],
		["ssh://git@host/a", "git"],
		["git://host/a", "git"],
		["https://host/a.git", "git"],
		["https://host/a.git#v1:dir", "git"],
		["https://host/a.git?tag=v1&subdir=dir", "git"],
		["https://host/a.tar.gz", "http"],
		["http://host/Dockerfile", "http"],
		["github.com/a/b", "git"],
		["github.com", "directory"],
	] as const)
		test(`takes ${text} for ${kind}`, () => expect(contextArgument(text).kind).toBe(kind));
});

test("namedContextArgument() reads images, URLs and directories, and refuses the rest", () => {
	expect(namedContextArgument("a=docker-image://busybox:1").source).toEqual({ kind: "image", reference: "busybox:1" });
	expect(namedContextArgument("a=https://h/x.git#main").source.kind).toBe("git");
	expect(namedContextArgument("a=../b=c")).toEqual({ name: "a", source: { kind: "directory", path: "../b=c" } });
	const digest = `sha256:${"a".repeat(64)}`;
	for (const [text, path, image] of [
		["oci-layout:///x/y", "/x/y", ""],
		["oci-layout://x:1.2", "x", "1.2"],
		[`oci-layout://../x@${digest}`, "../x", digest],
		["oci-layout:///a:b/c", "/a:b/c", ""],
	])
		expect(namedContextArgument(`a=${text}`).source).toEqual({ kind: "layout", path, image } as never);
	for (const text of ["a", "a=", "=b", "a=oci-layout://", "a=-"]) expect(() => namedContextArgument(text)).toThrow();
});

test("isArchive() tells archives from Dockerfiles by their first bytes", () => {
	const tar = Buffer.alloc(512);
	tar.write("name");
	tar.write("ustar", 257);
	expect(
		[
			tar,
			Buffer.alloc(1024),
			Buffer.from([0x1f, 0x8b, 8]),
			Buffer.from("BZh9"),
			Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
		].map(isArchive),
	).toEqual([true, true, true, true, true]);
	expect([Buffer.from("FROM scratch\n"), Buffer.alloc(0), Buffer.alloc(100)].map(isArchive)).toEqual([
		false,
		false,
		false,
	]);
});
