import { expect, test } from "bun:test";
import { MemoryContainerStore } from "../../../src/drivers/store-memory/container-store.ts";
import { ContainerRegistry } from "../../../src/engine/container/registry.ts";
import { makeRecord } from "../../support/container-record.ts";

test("after a restart a name is its new owner's, whichever of the two was made first", () => {
	const store = new MemoryContainerStore();
	const before = new ContainerRegistry(store);
	before.insert(makeRecord({}, { id: "a".repeat(64), name: "older" }));
	before.insert(makeRecord({}, { id: "b".repeat(64), name: "wanted" }));
	before.update("b".repeat(64), { lifecycle: { kind: "removing", exit: undefined } });
	before.hide("b".repeat(64));
	before.update("a".repeat(64), { name: "wanted" });
	const after = new ContainerRegistry(store);
	after.load();
	expect(after.resolve("wanted").id).toBe("a".repeat(64));
	after.delete("b".repeat(64));
	expect(after.resolve("wanted").id).toBe("a".repeat(64));
	expect(() => after.checkName("wanted")).toThrow("already in use");
});
