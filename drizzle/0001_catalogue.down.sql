drop table symbol_quotes, symbols, data_providers, market_holidays, trading_sessions, markets, exchanges, asset_classes;
drop type market_type_enum, market_status_enum, symbol_status_enum, provider_type_enum, feed_type_enum, connection_status_enum;
