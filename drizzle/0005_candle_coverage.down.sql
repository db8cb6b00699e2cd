drop table candle_coverage;
