import { describe, expect, test } from "bun:test";
import type { ContainerSummary } from "../../api/engine/container.ts";
import type { ImageSummary } from "../../api/engine/image.ts";
import type { BuildCacheRecord } from "../../api/engine/system.ts";
import type { Volume } from "../../api/engine/volume.ts";
import {
	buildCacheUsage,
	containerUsage,
	type DiskUsage,
	imageUsage,
	legacyDiskUsage,
	volumeUsage,
} from "./disk-usage.ts";

const container = (State: string, SizeRw?: number) =>
	({ Id: State, State, ...(SizeRw === undefined ? {} : { SizeRw }) }) as ContainerSummary;
const image = (Id: string, Containers: number) => ({ Id, Containers }) as ImageSummary;
const volume = (Name: string, Size: number, RefCount: number) => ({ Name, UsageData: { Size, RefCount } }) as Volume;
const record = (ID: string, Size: number, fields: Partial<BuildCacheRecord> = {}) =>
	({ ID, Size, InUse: false, Shared: false, ...fields }) as BuildCacheRecord;

const counts = ({ Items: _items, ...rest }: { Items: unknown }) => rest;

describe("disk usage", () => {
	test("of images is that of their layers", () => {
		const usage = imageUsage([image("a", 2), image("b", 0)], { totalBytes: 100, reclaimableBytes: 30 });
		expect(counts(usage)).toEqual({ ActiveCount: 1, TotalCount: 2, Reclaimable: 30, TotalSize: 100 });
	});

	test("of containers: those that run, or are about to, keep theirs", () => {
		const states = ["running", "paused", "restarting", "created", "exited", "dead"];
		const usage = containerUsage([
			...states.map((state, position) => container(state, 10 ** position)),
			container("exited"),
		]);
		expect(counts(usage)).toEqual({ ActiveCount: 3, TotalCount: 7, Reclaimable: 111_000, TotalSize: 111_111 });
	});

	test("of volumes: those of containers are in use, unknown sizes count nothing", () => {
		const usage = volumeUsage([volume("a", 10, 1), volume("b", 5, 0), volume("c", -1, 0)]);
		expect(counts(usage)).toEqual({ ActiveCount: 1, TotalCount: 3, Reclaimable: 5, TotalSize: 15 });
	});

	test("of build cache: what images have, too, is counted there", () => {
		const usage = buildCacheUsage([
			record("a", 10),
			record("b", 20, { InUse: true }),
			record("c", 40, { Shared: true }),
		]);
		expect(counts(usage)).toEqual({ ActiveCount: 1, TotalCount: 3, Reclaimable: 10, TotalSize: 30 });
	});
});

describe("legacyDiskUsage()", () => {
	const usage: DiskUsage = {
		images: imageUsage([image("a", 0)], { totalBytes: 7, reclaimableBytes: 7 }),
		buildCache: buildCacheUsage([record("c", 40, { Shared: true })]),
	};

	test("has the lists of what was asked for", () => {
		expect(legacyDiskUsage(usage, { major: 1, minor: 42 })).toEqual({
			LayersSize: 7,
			Images: [image("a", 0)],
			BuildCache: [record("c", 40, { Shared: true })],
		});
	});

	test("has the size of the build cache up to 1.41", () => {
		expect(legacyDiskUsage(usage, { major: 1, minor: 41 }).BuilderSize).toBe(40);
	});
});
