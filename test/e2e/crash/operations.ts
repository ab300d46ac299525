import { expect } from "bun:test";
import { waitFor } from "../../support/commands.ts";
import { tarOf } from "../../support/tar-builder.ts";
import { type Operation, type Round, SLEEPER, WAITER } from "./operation.ts";

const PUBLISHED = { ExposedPorts: { "80/tcp": {} }, HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "" }] } } };
const ANONYMOUS = { Volumes: { "/anonymous": {} } };

/** Whatever state it is in, it can be brought to run. */
async function expectStartable(round: Round): Promise<void> {
	await round.start();
	expect((await round.inspect()).State.Status).toBe("running");
}

async function anonymousVolumes(round: Round): Promise<string[]> {
	const { Volumes } = (await round.request("GET", "/volumes")) as { Volumes: { Name: string }[] };
	return Volumes.map(({ Name }) => Name).filter((name) => /^[0-9a-f]{64}$/.test(name));
}

async function exitOf(round: Round): Promise<number> {
	return await waitFor("the exit on record", async () => {
		const { State } = await round.inspect();
		return State.Status === "exited" ? State.ExitCode + 1 : undefined;
	}).then((code) => code - 1);
}

async function expectGone(round: Round): Promise<void> {
	await waitFor(
		"the removal",
		async () => !(await round.exists("containers", round.name)) && (await anonymousVolumes(round)).length === 0,
	);
}

async function create(round: Round): Promise<void> {
	const HostConfig = { Binds: [`${round.volume}:/named`] };
	await round.create({ ...SLEEPER, ...ANONYMOUS, HostConfig });
}

export const OPERATIONS: Readonly<Record<string, Operation>> = {
	"container create": {
		act: async (round) => {
			await create(round);
			round.acknowledge("created");
		},
		check: async (round) => {
			const exists = await round.exists("containers", round.name);
			if (round.has("created")) expect(exists).toBe(true);
			if (!exists) await create(round); // its name must be free
			const { Mounts } = await round.inspect();
			expect(Mounts).toHaveLength(2);
			await expectStartable(round);
			expect(await round.exists("volumes", round.volume)).toBe(true);
		},
	},
	"container start": {
		prepare: async (round) => {
			await round.create({ ...SLEEPER, ...ANONYMOUS, ...PUBLISHED });
		},
		act: async (round) => {
			await round.start();
			round.acknowledge("started");
		},
		check: async (round) => {
			if (round.has("started")) expect((await round.inspect()).State.Status).toBe("running");
			await expectStartable(round);
		},
	},
	"container exit": {
		prepare: async (round) => {
			await round.create({ ...WAITER, ...PUBLISHED });
			await round.startWaiter();
		},
		act: async (round) => {
			await round.request("POST", `/containers/${round.name}/kill?signal=USR1`);
			await exitOf(round);
			round.acknowledge("ended");
		},
		check: async (round) => {
			const { State } = await round.inspect();
			if (State.Running) await round.daemon.api("POST", `/containers/${round.name}/kill?signal=USR1`);
			expect(await exitOf(round)).toBe(7);
			await expectStartable(round);
		},
	},
	"container exit with --rm": {
		prepare: async (round) => {
			await round.create({ ...WAITER, ...ANONYMOUS, HostConfig: { AutoRemove: true } });
			await round.startWaiter();
		},
		act: async (round) => {
			await round.request("POST", `/containers/${round.name}/kill?signal=USR1`);
			await expectGone(round);
		},
		check: async (round) => {
			await round.daemon.api("POST", `/containers/${round.name}/kill?signal=USR1`);
			await expectGone(round);
		},
	},
	"container exit with a restart policy": {
		prepare: async (round) => {
			await round.create({ ...WAITER, HostConfig: { RestartPolicy: { Name: "on-failure" } } });
			await round.startWaiter();
		},
		act: async (round) => {
			const { State } = await round.inspect();
			await round.request("POST", `/containers/${round.name}/kill?signal=USR1`);
			await waitFor("the restart", async () => {
				const { Running, Pid } = (await round.inspect()).State;
				return Running && Pid !== State.Pid;
			});
		},
		check: async (round) => {
			await waitFor("it to run again", async () => (await round.inspect()).State.Status === "running");
		},
	},
	"container stop": {
		prepare: async (round) => {
			await round.create({ ...WAITER, ...PUBLISHED, HostConfig: { RestartPolicy: { Name: "unless-stopped" } } });
			await round.startWaiter();
		},
		act: async (round) => {
			await round.request("POST", `/containers/${round.name}/stop?t=5`);
			round.acknowledge("stopped");
		},
		check: async (round) => {
			if (round.has("stopped")) expect((await round.inspect()).State).toMatchObject({ Status: "exited", ExitCode: 0 });
			await expectStartable(round);
		},
	},
	"container restart": {
		prepare: async (round) => {
			await round.create({ ...WAITER, ...PUBLISHED });
			await round.startWaiter();
		},
		act: async (round) => {
			await round.request("POST", `/containers/${round.name}/restart?t=5`);
			round.acknowledge("restarted");
		},
		check: async (round) => {
			if (round.has("restarted")) expect((await round.inspect()).State.Status).toBe("running");
			await expectStartable(round);
		},
	},
	"container rm -f -v": {
		prepare: async (round) => {
			await round.create({ ...SLEEPER, ...ANONYMOUS, ...PUBLISHED });
			await round.start();
		},
		act: async (round) => {
			await round.request("DELETE", `/containers/${round.name}?force=1&v=1`);
			round.acknowledge("removed");
		},
		check: async (round) => {
			const exists = await round.exists("containers", round.name);
			if (round.has("removed")) expect(exists).toBe(false);
			if (exists) await round.request("DELETE", `/containers/${round.name}?force=1&v=1`);
			expect(await anonymousVolumes(round)).toEqual([]);
			await round.create(SLEEPER);
		},
	},
	"container rename": {
		prepare: async (round) => {
			await round.create(SLEEPER);
		},
		act: async (round) => {
			await round.request("POST", `/containers/${round.name}/rename?name=${round.name}-new`);
			round.acknowledge("renamed");
		},
		check: async (round) => {
			const old = await round.exists("containers", round.name);
			expect(await round.exists("containers", `${round.name}-new`)).toBe(!old);
			if (round.has("renamed")) expect(old).toBe(false);
			await round.create(SLEEPER, old ? `${round.name}-new` : round.name);
		},
	},
	"container update": {
		prepare: async (round) => {
			await round.create(SLEEPER);
			await round.start();
		},
		act: async (round) => {
			await round.request("POST", `/containers/${round.name}/update`, { Memory: 2 ** 27, MemorySwap: 2 ** 28 });
			round.acknowledge("updated");
		},
		check: async (round) => {
			const { HostConfig, State } = await round.inspect();
			if (round.has("updated")) expect(HostConfig.Memory).toBe(2 ** 27);
			expect(State.Status).toBe("running");
		},
	},
	"container pause": {
		prepare: async (round) => {
			await round.create(SLEEPER);
			await round.start();
		},
		act: async (round) => {
			await round.request("POST", `/containers/${round.name}/pause`);
			round.acknowledge("paused");
		},
		check: async (round) => {
			const { State } = await round.inspect();
			if (round.has("paused")) expect(State.Paused).toBe(true);
			if (State.Paused) await round.request("POST", `/containers/${round.name}/unpause`);
			expect((await round.inspect()).State.Status).toBe("running");
		},
	},
	"container rm -f of a paused one": {
		prepare: async (round) => {
			await round.create(SLEEPER);
			await round.start();
			await round.request("POST", `/containers/${round.name}/pause`);
		},
		act: async (round) => {
			await round.request("DELETE", `/containers/${round.name}?force=1`);
			round.acknowledge("removed");
		},
		check: async (round) => {
			if (round.has("removed")) expect(await round.exists("containers", round.name)).toBe(false);
			await round.daemon.api("DELETE", `/containers/${round.name}?force=1`);
			await expectGone(round);
		},
	},
	"exec start": {
		prepare: async (round) => {
			await round.create(SLEEPER);
			await round.start();
		},
		act: async (round) => {
			const { Id } = (await round.request("POST", `/containers/${round.name}/exec`, { Cmd: ["sleep", "0.1"] })) as {
				Id: string;
			};
			await round.request("POST", `/exec/${Id}/start`, { Detach: true });
		},
		check: async (round) => {
			expect((await round.inspect()).State.Status).toBe("running");
		},
	},
	"archive into a stopped container": {
		prepare: async (round) => {
			await round.create({ ...SLEEPER, HostConfig: { Binds: [`${round.volume}:/named`] } });
		},
		act: async (round) => {
			await round.request(
				"PUT",
				`/containers/${round.name}/archive?path=/named`,
				tarOf({ name: "file", content: round.name }),
			);
			round.acknowledge("copied");
		},
		check: async (round) => {
			if (round.has("copied"))
				expect(await round.status("HEAD", `/containers/${round.name}/archive?path=/named/file`)).toBe(200);
			await expectStartable(round);
		},
	},
	"volume create": {
		act: async (round) => {
			await round.request("POST", "/volumes/create", { Name: round.volume, Labels: { a: "b" } });
			round.acknowledge("created");
		},
		check: async (round) => {
			if (round.has("created")) expect(await round.exists("volumes", round.volume)).toBe(true);
			await round.request("POST", "/volumes/create", { Name: round.volume });
		},
	},
	"volume rm": {
		prepare: async (round) => {
			await round.request("POST", "/volumes/create", { Name: round.volume });
		},
		act: async (round) => {
			await round.request("DELETE", `/volumes/${round.volume}`);
			round.acknowledge("removed");
		},
		check: async (round) => {
			const exists = await round.exists("volumes", round.volume);
			if (round.has("removed")) expect(exists).toBe(false);
			if (exists) await round.request("DELETE", `/volumes/${round.volume}`);
		},
	},
	"volume create with a disk of its own": {
		act: async (round) => {
			await round.request("POST", "/volumes/create", { Name: round.volume, DriverOpts: DISK });
			round.acknowledge("created");
		},
		check: async (round) => {
			if (round.has("created")) expect(await round.exists("volumes", round.volume)).toBe(true);
			await round.request("POST", "/volumes/create", { Name: round.volume, DriverOpts: DISK });
			await round.create({ ...SLEEPER, HostConfig: { Binds: [`${round.volume}:/disk`] } });
			await round.start();
			await round.request("DELETE", `/containers/${round.name}?force=1`);
			// A prune leaves volumes with options.
			await round.request("DELETE", `/volumes/${round.volume}`);
		},
	},
	"volume rename": {
		prepare: fillVolume,
		act: async (round) => {
			await round.request("POST", `/volumes/${round.volume}/rename?name=${round.volume}-new`);
			round.acknowledge("renamed");
		},
		check: async (round) => {
			const old = await round.exists("volumes", round.volume);
			expect(await round.exists("volumes", `${round.volume}-new`)).toBe(!old);
			if (round.has("renamed")) expect(old).toBe(false);
			await expectFilled(round, old ? round.volume : `${round.volume}-new`);
		},
	},
	"volume clone": {
		prepare: fillVolume,
		act: async (round) => {
			await round.request("POST", `/volumes/${round.volume}/clone?name=${round.volume}-new&pause=1`);
			round.acknowledge("cloned");
		},
		check: async (round) => {
			await expectFilled(round, round.volume);
			const copied = await round.exists("volumes", `${round.volume}-new`);
			if (round.has("cloned")) expect(copied).toBe(true);
			if (!copied) await round.request("POST", `/volumes/${round.volume}/clone?name=${round.volume}-new`);
			await expectFilled(round, `${round.volume}-new`);
		},
	},
	"volume import": {
		act: async (round) => {
			await fillVolume(round);
			round.acknowledge("imported");
		},
		check: async (round) => {
			const exists = await round.exists("volumes", round.volume);
			if (round.has("imported")) expect(exists).toBe(true);
			if (!exists) await fillVolume(round);
			await expectFilled(round, round.volume);
		},
	},
	"container start with an image, a part of a volume and mapped IDs": {
		prepare: async (round) => {
			await fillVolume(round);
			const Mounts = [
				{ Type: "image", Source: "busybox", Target: "/image", ImageOptions: { Subpath: "bin" } },
				{ Type: "volume", Source: round.volume, Target: "/part", VolumeOptions: { Subpath: "file" } },
				{ Type: "bind", Source: "/tmp", Target: "/mapped", IdMap: "uids=0-1000-1" },
				{ Type: "bind", Source: "/tmp", Target: "/alone", BindOptions: { NonRecursive: true } },
			];
			await round.create({ ...SLEEPER, HostConfig: { Mounts } });
		},
		act: async (round) => {
			await round.start();
			round.acknowledge("started");
		},
		check: async (round) => {
			if (round.has("started")) expect((await round.inspect()).State.Status).toBe("running");
			await expectStartable(round);
		},
	},
	"image import": {
		act: async (round) => {
			await importImage(round);
			round.acknowledge("imported");
		},
		check: async (round) => {
			if (round.has("imported")) expect(await round.exists("images", round.tag)).toBe(true);
			await importImage(round);
			await round.request("DELETE", `/images/${round.tag}`);
		},
	},
	"image load": {
		prepare: async (round) => {
			await importImage(round);
			round.archive = await (await round.daemon.api("GET", `/images/get?names=${round.tag}`)).bytes();
			await round.request("DELETE", `/images/${round.tag}`);
		},
		act: async (round) => {
			await round.request("POST", "/images/load", round.archive);
			round.acknowledge("loaded");
		},
		check: async (round) => {
			if (round.has("loaded")) expect(await round.exists("images", round.tag)).toBe(true);
			await round.request("POST", "/images/load", round.archive);
			expect(await round.exists("images", round.tag)).toBe(true);
			await round.request("DELETE", `/images/${round.tag}`);
		},
	},
	"image tag": {
		prepare: importImage,
		act: async (round) => {
			await round.request("POST", `/images/busybox/tag?repo=${round.name}&tag=crash`);
			round.acknowledge("tagged");
		},
		check: async (round) => {
			const { RepoTags } = (await round.request("GET", `/images/busybox/json`)) as { RepoTags: string[] };
			if (round.has("tagged")) expect(RepoTags).toContain(round.tag);
			await round.request("DELETE", `/images/${round.tag}`);
			expect(await round.exists("images", round.tag)).toBe(false);
			await round.request("POST", "/images/prune");
		},
	},
	"image rm": {
		prepare: importImage,
		act: async (round) => {
			await round.request("DELETE", `/images/${round.tag}`);
			round.acknowledge("removed");
		},
		check: async (round) => {
			const exists = await round.exists("images", round.tag);
			if (round.has("removed")) expect(exists).toBe(false);
			if (exists) await round.request("DELETE", `/images/${round.tag}`);
			await round.request("POST", "/images/prune");
		},
	},
	"container commit": {
		prepare: async (round) => {
			await round.create(SLEEPER);
			await round.request(
				"PUT",
				`/containers/${round.name}/archive?path=/`,
				tarOf({ name: "file", content: round.name }),
			);
		},
		act: async (round) => {
			await round.request("POST", `/commit?container=${round.name}&repo=${round.name}&tag=crash`);
			round.acknowledge("committed");
		},
		check: async (round) => {
			if (round.has("committed")) expect(await round.exists("images", round.tag)).toBe(true);
			await round.request("POST", `/commit?container=${round.name}&repo=${round.name}&tag=crash`);
			await round.request("DELETE", `/images/${round.tag}`);
			await round.request("POST", "/images/prune");
		},
	},
};

const DISK = { type: "ext4", size: "8m" };

async function fillVolume(round: Round): Promise<void> {
	const archive = tarOf({ name: "file", content: round.name });
	await round.request("POST", `/volumes/${round.volume}/import`, archive);
}

async function expectFilled(round: Round, volume: string): Promise<void> {
	const archive = (await round.request("GET", `/volumes/${volume}/export`)) as string;
	expect(archive).toContain(round.name);
}

async function importImage(round: Round): Promise<void> {
	await round.request(
		"POST",
		`/images/create?fromSrc=-&repo=${round.name}&tag=crash`,
		tarOf({ name: "file", content: round.name }),
	);
}
