import { containerStoreContract } from "../../core/container/container-store-contract.ts";
import { networkStoreContract } from "../../core/network/network-store-contract.ts";
import { volumeStoreContract } from "../../core/volume/volume-store-contract.ts";
import { MemoryContainerStore } from "./container-store.ts";
import { MemoryNetworkStore } from "./network-store.ts";
import { MemoryVolumeStore } from "./volume-store.ts";

containerStoreContract("MemoryContainerStore", () => new MemoryContainerStore());
volumeStoreContract("MemoryVolumeStore", () => new MemoryVolumeStore());
networkStoreContract("MemoryNetworkStore", () => new MemoryNetworkStore());
