"""What happens to bookings and money while the servers behind them die."""
