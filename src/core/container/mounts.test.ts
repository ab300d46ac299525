import { describe, expect, test } from "bun:test";
import { settle } from "../../../test/support/container-record.ts";
import type { MountRequest } from "../../api/engine/container.ts";
import type { ContainerMount } from "./container-record.ts";
import { parseBind, parseMountRequest } from "./mount-spec.ts";
import { collectMounts } from "./mounts.ts";

const CONTEXT = { newVolumeName: () => "fresh", volumeDriver: "", dataRoot: "/var/lib/gantry" };

describe("parseBind()", () => {
	const accepted: [string, Partial<ContainerMount>][] = [
		[
			"/a:/b",
			{ type: "bind", source: "/a", target: "/b", readOnly: false, propagation: "rprivate", createSource: true },
		],
		["/a/../c/:/b/", { source: "/c", target: "/b" }],
		["/a:/b:ro,rshared,z", { readOnly: true, propagation: "rshared", mode: "ro,rshared,z" }],
		["/a:/b:rro", { readOnly: true, readOnlyRecursive: "always" }],
		["/var:/b", { propagation: "rslave" }],
		["name:/b", { type: "volume", source: "name", mode: "z", propagation: "" }],
		["name:/b:nocopy", { mode: "nocopy", volume: { driver: "", anonymous: false, copy: false, subpath: "" } }],
		[
			"/b",
			{
				type: "volume",
				source: "fresh",
				target: "/b",
				volume: { driver: "", anonymous: true, copy: true, subpath: "" },
			},
		],
	];
	for (const [spec, want] of accepted)
		test(`reads ${spec}`, () => {
			expect(parseBind(spec, CONTEXT)).toMatchObject(want);
		});
	const refused: [string, string][] = [
		["", "invalid volume specification: ''"],
		[":/x", "invalid volume specification: ':/x'"],
		["a:b:c:d", "invalid volume specification: 'a:b:c:d'"],
		["/a:ro", "invalid volume specification: '/a:ro'"],
		["/tmp:/x:zz", "invalid mode: zz"],
		["/tmp:/x:ro,rw", "invalid mode: ro,rw"],
		[
			"/x:rel",
			`invalid volume specification: '/x:rel': invalid mount config for type "bind": invalid mount path: 'rel' mount path must be absolute`,
		],
		[
			"/tmp:/",
			`invalid volume specification: '/tmp:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
		],
		[
			"/tmp:/x:nocopy",
			`invalid volume specification: '/tmp:/x:nocopy': invalid mount config for type "bind": field VolumeOptions must not be specified`,
		],
		[
			"vv:/x:rshared",
			`invalid volume specification: 'vv:/x:rshared': invalid mount config for type "volume": field BindOptions must not be specified`,
		],
	];
	for (const [spec, message] of refused)
		test(`refuses ${JSON.stringify(spec)}`, () => {
			expect(() => parseBind(spec, CONTEXT)).toThrow(new Error(message));
		});
});

describe("parseMountRequest()", () => {
	const accepted: [MountRequest, Partial<ContainerMount>][] = [
		[
			{
				Type: "bind",
				Source: "/a",
				Target: "/b",
				ReadOnly: true,
				BindOptions: { NonRecursive: true, Propagation: "slave" },
			},
			{ source: "/a", readOnly: true, recursive: false, propagation: "slave", createSource: false, mode: "" },
		],
		[
			{ Type: "bind", Source: "/a", Target: "/b", BindOptions: { ReadOnlyForceRecursive: true } },
			{ readOnlyRecursive: "always" },
		],
		[
			{ Type: "volume", Target: "/b" },
			{ source: "fresh", mode: "z", volume: { driver: "", anonymous: true, copy: true, subpath: "" } },
		],
		[
			{
				Type: "tmpfs",
				Target: "/b",
				TmpfsOptions: { SizeBytes: 4096, Mode: 0o1770, Options: [["exec"], ["uid", "5"]] },
			},
			{ tmpfs: { options: ["mode=1770", "size=4096", "exec", "uid=5"] } },
		],
	];
	for (const [request, want] of accepted)
		test(`reads ${JSON.stringify(request)}`, () => {
			expect(parseMountRequest(request, CONTEXT)).toMatchObject(want);
		});
	const refused: [MountRequest, string][] = [
		[
			{ Type: "bind", Source: "", Target: "/x" },
			'invalid mount config for type "bind": field Source must not be empty',
		],
		[
			{ Type: "bind", Source: "/a", Target: "" },
			'invalid mount config for type "bind": field Target must not be empty',
		],
		[
			{ Type: "bind", Source: "/a", Target: "/x", BindOptions: { Propagation: "foo" } },
			'invalid mount config for type "bind": invalid propagation mode: foo',
		],
		[
			{ Type: "bind", Source: "/a", Target: "/x", VolumeOptions: {} },
			'VolumeOptions must not be specified on mount type "bind"',
		],
		[
			{ Type: "tmpfs", Source: "a", Target: "/x" },
			'invalid mount config for type "tmpfs": field Source must not be specified',
		],
		[
			{ Type: "tmpfs", Target: "/x", TmpfsOptions: { Options: [["foo"]] } },
			'invalid mount config for type "tmpfs": invalid option: foo',
		],
		[
			{ Type: "volume", Source: "v", Target: "/x", VolumeOptions: { Subpath: "../a" } },
			'invalid mount config for type "volume": subpath must be a relative path within the volume',
		],
		[{ Type: "npipe", Source: "x", Target: "/x" }, 'invalid mount config for type "npipe": mount type unknown'],
	];
	for (const [request, message] of refused)
		test(`refuses ${JSON.stringify(request)}`, () => {
			expect(() => parseMountRequest(request, CONTEXT)).toThrow(new Error(message));
		});
});

describe("collectMounts()", () => {
	test("two of the request's own mounts at one place are an error", () => {
		for (const HostConfig of [
			{ Binds: ["/a:/x/", "/b:/x"] },
			{ Binds: ["/a:/x"], Tmpfs: { "/x": "" } },
			{ Binds: ["/a:/x"], Mounts: [{ Type: "volume" as const, Target: "/x" }] },
		])
			expect(() => settle({ HostConfig })).toThrow("Duplicate mount point: /x");
	});

	test("own mounts replace inherited ones, and volumes of the image both", () => {
		const inherited = parseBind("/old:/data", CONTEXT);
		const kept = { ...parseBind("shared:/shared", CONTEXT) };
		const mounts = collectMounts(
			{ Volumes: { "/data": {}, "/shared": {}, "/own": {} } },
			{ Binds: ["/new:/data"], VolumesFrom: ["other:ro"] },
			{ ...CONTEXT, mountsOf: () => [inherited, kept] },
		);
		expect(mounts.map(({ target, source, origin, readOnly }) => ({ target, source, origin, readOnly }))).toEqual([
			{ target: "/data", source: "/new", origin: "binds", readOnly: false },
			{ target: "/shared", source: "shared", origin: "volumes-from", readOnly: true },
			{ target: "/own", source: "fresh", origin: "image", readOnly: false },
		]);
	});
});
