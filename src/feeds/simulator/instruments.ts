/** A pair of the simulated exchange. Its ticker is base and quote together. */
export interface SimulatedInstrument {
  readonly base: string;
  readonly quote: string;
  /** BREAK: listed, but nothing happens in it. */
  readonly status: "TRADING" | "BREAK";
  /** The walk stays around this price. */
  readonly price: string;
  /** Together with `stepSize` at most eight decimals, so that price × quantity is exact in what the exchange writes. */
  readonly tickSize: string;
  readonly stepSize: string;
  readonly minNotional: string;
}

export const tickerOf = ({ base, quote }: SimulatedInstrument): string => base + quote;

const usdt = (base: string, price: string, tickSize: string, stepSize: string): SimulatedInstrument => ({
  base,
  quote: "USDT",
  status: "TRADING",
  price,
  tickSize,
  stepSize,
  minNotional: "5",
});

/** The real exchange has finer steps in these pairs; see {@link SimulatedInstrument.tickSize}. */
const btc = (base: string, price: string, tickSize: string, stepSize: string): SimulatedInstrument => ({
  base,
  quote: "BTC",
  status: "TRADING",
  price,
  tickSize,
  stepSize,
  minNotional: "0.0001",
});

/** Invented prices of the real order of magnitude; the rules of the pairs in our reference data are the same as there. */
export const simulatedInstruments: readonly SimulatedInstrument[] = [
  usdt("BTC", "92000", "0.01", "0.00001"),
  usdt("ETH", "3000", "0.01", "0.0001"),
  usdt("XRP", "2.1", "0.0001", "0.1"),
  usdt("SOL", "140", "0.01", "0.001"),
  usdt("AVAX", "14", "0.01", "0.01"),
  usdt("SUI", "1.6", "0.0001", "0.1"),
  usdt("ENA", "0.27", "0.0001", "0.01"),
  usdt("UNI", "6", "0.001", "0.01"),
  usdt("BNB", "880", "0.01", "0.001"),
  usdt("ADA", "0.42", "0.0001", "0.1"),
  usdt("DOT", "2.3", "0.001", "0.01"),
  usdt("LINK", "13", "0.01", "0.01"),
  usdt("LTC", "84", "0.01", "0.001"),
  { ...usdt("MATIC", "0.38", "0.0001", "0.1"), status: "BREAK" },
  usdt("DOGE", "0.15", "0.00001", "1"),
  usdt("TRX", "0.28", "0.0001", "0.1"),
  usdt("TON", "1.6", "0.001", "0.01"),
  usdt("SHIB", "0.0000085", "0.00000001", "1"),
  usdt("PEPE", "0.0000046", "0.00000001", "1"),
  usdt("NEAR", "1.9", "0.001", "0.1"),
  usdt("APT", "2.3", "0.001", "0.01"),
  usdt("ARB", "0.21", "0.0001", "0.1"),
  usdt("OP", "0.31", "0.001", "0.01"),
  usdt("ATOM", "2.5", "0.001", "0.01"),
  usdt("FIL", "1.6", "0.001", "0.01"),
  usdt("INJ", "6", "0.001", "0.01"),
  usdt("AAVE", "180", "0.01", "0.001"),
  usdt("ETC", "14", "0.01", "0.01"),
  usdt("XLM", "0.25", "0.0001", "1"),
  usdt("BCH", "540", "0.1", "0.001"),
  usdt("HBAR", "0.14", "0.00001", "1"),
  usdt("ICP", "4", "0.001", "0.01"),
  usdt("RENDER", "1.8", "0.001", "0.01"),
  usdt("SEI", "0.14", "0.0001", "0.1"),
  usdt("TIA", "0.62", "0.0001", "0.1"),
  usdt("WIF", "0.38", "0.001", "0.01"),
  usdt("BONK", "0.0000098", "0.00000001", "1"),
  usdt("FET", "0.27", "0.0001", "0.1"),
  usdt("GRT", "0.05", "0.00001", "1"),
  usdt("ALGO", "0.14", "0.0001", "1"),
  usdt("VET", "0.013", "0.00001", "0.1"),
  btc("ETH", "0.0326", "0.00001", "0.001"),
  btc("BNB", "0.00957", "0.000001", "0.01"),
  btc("SOL", "0.00152", "0.000001", "0.01"),
];

/** Perpetual contracts on the pairs that are traded in dollars, without those that exchanges count by the thousand. */
export const simulatedPerpetuals: readonly SimulatedInstrument[] = simulatedInstruments.filter(
  ({ quote, status, price }) => quote === "USDT" && status === "TRADING" && Number(price) > 0.0001,
);
