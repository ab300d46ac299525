import type { MountPoint } from "../../api/engine/container.ts";
import type { ContainerMount } from "./container-record.ts";

/** Mounts as inspect and list show them; those of `--tmpfs` stand in the host configuration alone. @param mountpoint directory of a volume by name */
export function viewMounts(mounts: readonly ContainerMount[], mountpoint: (volume: string) => string): MountPoint[] {
	return mounts.filter(({ origin }) => origin !== "tmpfs").map((mount) => viewMount(mount, mountpoint));
}

function viewMount(mount: ContainerMount, mountpoint: (volume: string) => string): MountPoint {
	const { type, mode, target, propagation } = mount;
	const shared = { Destination: target, Mode: mode, RW: !mount.readOnly, Propagation: propagation };
	switch (type) {
		case "volume": {
			const { Destination, ...rest } = shared;
			const Driver = mount.volume?.driver ?? "local";
			return { Type: type, Name: mount.source, Source: mountpoint(mount.source), Destination, Driver, ...rest };
		}
		case "tmpfs":
			return { Type: type, Source: "", ...shared };
		default:
			return { Type: type, Source: mount.source, ...shared };
	}
}
