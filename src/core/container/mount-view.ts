import type { MountPoint } from "../../api/engine/container.ts";
import type { ContainerMount, ContainerRecord } from "./container-record.ts";

/** Where what is mounted lies on the host. */
export interface MountLocations {
	readonly volume: (name: string) => { readonly mountpoint: string; readonly driver: string };
	readonly image: (container: Pick<ContainerRecord, "id" | "mounts">, mount: ContainerMount) => string;
}

/** Mounts as inspect and list show them; those of `--tmpfs` stand in the host configuration alone. */
export function viewMounts(record: Pick<ContainerRecord, "id" | "mounts">, locations: MountLocations): MountPoint[] {
	return record.mounts.filter(({ origin }) => origin !== "tmpfs").map((mount) => viewMount(record, mount, locations));
}

function viewMount(
	record: Pick<ContainerRecord, "id" | "mounts">,
	mount: ContainerMount,
	locations: MountLocations,
): MountPoint {
	const { type, mode, target, propagation } = mount;
	const shared = { Destination: target, Mode: mode, RW: !mount.readOnly, Propagation: propagation };
	switch (type) {
		case "volume": {
			const { Destination, ...rest } = shared;
			const { mountpoint, driver } = locations.volume(mount.source);
			return { Type: type, Name: mount.source, Source: mountpoint, Destination, Driver: driver, ...rest };
		}
		case "image":
			return { Type: type, Name: mount.source, Source: locations.image(record, mount), ...shared };
		case "tmpfs":
			return { Type: type, Source: "", ...shared };
		default:
			return { Type: type, Source: mount.source, ...shared };
	}
}
