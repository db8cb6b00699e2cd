/** Settings of a simulated exchange that leaves most of the time to the test. */
export const fewPrices = { SIMULATOR_UPDATES_PER_SECOND: "1" } as const;
