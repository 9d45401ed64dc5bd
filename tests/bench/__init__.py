"""What is written for measuring, where being wrong would go unnoticed."""
