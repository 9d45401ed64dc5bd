"""Pages of the staff's desk that stand on no table: acts, stuck money, and why something cannot be booked."""
