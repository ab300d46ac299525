import { containerStoreContract } from "../../core/container/container-store-contract.ts";
import { useStoreContract } from "../../core/gc/use-store-contract.ts";
import { networkStoreContract } from "../../core/network/network-store-contract.ts";
import { volumeStoreContract } from "../../core/volume/volume-store-contract.ts";
import { MemoryContainerStore } from "./container-store.ts";
import { MemoryNetworkStore } from "./network-store.ts";
import { MemoryUseStore } from "./use-store.ts";
import { MemoryVolumeStore } from "./volume-store.ts";

containerStoreContract("MemoryContainerStore", () => new MemoryContainerStore());
volumeStoreContract("MemoryVolumeStore", () => new MemoryVolumeStore());
useStoreContract("MemoryUseStore", () => new MemoryUseStore());
networkStoreContract("MemoryNetworkStore", () => new MemoryNetworkStore());
