/** What the simulated exchange trades. Tick and step are powers of ten, as decimal places; prices are of the right order only. */
export interface SimulatedInstrument {
  readonly base: string;
  readonly quote: string;
  readonly status: "TRADING" | "BREAK";
  /** Where the walk begins and what it returns to, in quote currency. */
  readonly price: number;
  /** Decimal places of a price: 2 means a tick of 0.01. */
  readonly priceDecimals: number;
  /** Decimal places of a quantity. */
  readonly quantityDecimals: number;
}

const usdt = (base: string, price: number, priceDecimals: number, quantityDecimals: number): SimulatedInstrument => ({
  base,
  quote: "USDT",
  status: "TRADING",
  price,
  priceDecimals,
  quantityDecimals,
});

export const simulatedInstruments: readonly SimulatedInstrument[] = [
  usdt("BTC", 64_000, 2, 5),
  usdt("ETH", 3_100, 2, 4),
  usdt("XRP", 0.55, 4, 1),
  usdt("SOL", 150, 2, 3),
  usdt("AVAX", 28, 2, 2),
  usdt("SUI", 1.9, 4, 1),
  usdt("ENA", 0.42, 4, 2),
  usdt("UNI", 7.6, 3, 2),
  usdt("BNB", 590, 2, 3),
  usdt("ADA", 0.45, 4, 1),
  usdt("DOT", 6.1, 3, 2),
  usdt("LINK", 13.8, 2, 2),
  usdt("LTC", 82, 2, 3),
  { ...usdt("MATIC", 0.52, 4, 1), status: "BREAK" },
  usdt("DOGE", 0.12, 5, 0),
  usdt("TRX", 0.13, 4, 1),
  usdt("TON", 6.9, 3, 2),
  usdt("SHIB", 0.0000182, 8, 0),
  usdt("PEPE", 0.0000094, 8, 0),
  usdt("NEAR", 5.3, 3, 1),
  usdt("APT", 7.2, 2, 2),
  usdt("ARB", 0.71, 4, 1),
  usdt("OP", 1.65, 3, 2),
  usdt("ATOM", 6.6, 3, 2),
  usdt("FIL", 4.4, 3, 2),
  usdt("INJ", 22, 2, 2),
  usdt("AAVE", 96, 2, 3),
  usdt("ETC", 22.5, 2, 2),
  usdt("XLM", 0.1, 4, 0),
  usdt("BCH", 350, 1, 3),
  usdt("HBAR", 0.068, 5, 0),
  usdt("ICP", 9.3, 3, 2),
  usdt("RENDER", 6.4, 3, 2),
  usdt("SEI", 0.38, 4, 1),
  usdt("TIA", 7.1, 3, 2),
  usdt("WIF", 2.2, 3, 2),
  usdt("GRT", 0.2, 4, 0),
  usdt("ALGO", 0.14, 4, 0),
  { base: "ETH", quote: "BTC", status: "TRADING", price: 0.0484, priceDecimals: 5, quantityDecimals: 4 },
  { base: "BNB", quote: "BTC", status: "TRADING", price: 0.00921, priceDecimals: 6, quantityDecimals: 3 },
  { base: "SOL", quote: "BTC", status: "TRADING", price: 0.00234, priceDecimals: 7, quantityDecimals: 2 },
];
