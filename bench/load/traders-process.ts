import { answer } from "../helper.js";
import type { TraderInput } from "./trader.js";
import { Traders } from "./traders.js";

/** The process of a part of the traders. */
let traders: Traders | undefined;

answer({
  begin(inputs: readonly TraderInput[]) {
    traders = new Traders(inputs);
  },
  reports: () => traders?.reports(),
  stop: () => traders?.stop(),
  close: () => traders?.close(),
});
