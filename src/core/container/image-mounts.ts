import type { ContainerMount, ContainerRecord } from "./container-record.ts";

type Owner = Pick<ContainerRecord, "id" | "mounts">;

/** Snapshot of an image that is mounted into a container; by the mount's place in the record, which never changes. */
export function imageSnapshotId({ id, mounts }: Owner, { target }: Pick<ContainerMount, "target">): string {
	return `${id}-image-${mounts.findIndex((mount) => mount.target === target)}`;
}

/** Every snapshot a container has: its own root file system's, and one for each image it mounts. */
export function snapshotIds(owner: Owner): string[] {
	return [owner.id, ...imageMounts(owner).map((mount) => imageSnapshotId(owner, mount))];
}

export function imageMounts({ mounts }: Pick<Owner, "mounts">): ContainerMount[] {
	return mounts.filter(({ type }) => type === "image");
}

/** Images that a container needs: the one it was made from, and those it mounts. */
export function imageIds(record: Pick<ContainerRecord, "imageId" | "mounts">): string[] {
	return [record.imageId, ...imageMounts(record).flatMap(({ image }) => (image?.id === undefined ? [] : [image.id]))];
}
